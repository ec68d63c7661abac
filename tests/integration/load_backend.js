/* A backend over HTTP for load_harness.js, as a process of its own: node load_backend.js.
 *
 *   POST /do       acks with the first argument; for an event that ends with -told, ["did", <it>] is sent, too
 *   POST /hang     does not answer
 *   POST /deaf     nor does this; POST /release breaks them off
 *   POST /500, /junk, /large    what a backend should not do
 *   GET /record    "<item> <socket> <first argument>" for each item of /do, in the order they came
 *   GET /hanging   how many of /deaf wait */
'use strict';
const http = require('node:http');

const record = [];
const hanging = new Set();
const json = (response, value) => {
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(value));
};

const posts = {
  '/do': (item, response) => {
    record.push(`${item.id} ${item.sid} ${item.args[0]}`);
    const emit = item.event.endsWith('-told') ? { emit: [{ to: item.sid, event: 'did', args: [item.args[0]] }] } : {};
    json(response, { ...emit, ack: [item.args[0]] });
  },
  '/hang': () => {},
  '/deaf': (item, response) => {
    hanging.add(response);
    response.on('close', () => hanging.delete(response));
  },
  '/500': (item, response) => {
    response.statusCode = 500;
    response.end('{"ack":["this does not count"]}');
  },
  '/junk': (item, response) => response.end('<html>\0{"ack":['),
  '/large': (item, response) => json(response, { ack: ['x'.repeat(10 << 20)] }),
  '/release': (item, response) => {
    for (const one of hanging) one.destroy();
    response.end();
  },
};
const gets = {
  '/record': (response) => response.end(record.join('\n')),
  '/hanging': (response) => response.end(String(hanging.size)),
};

const server = http.createServer((request, response) => {
  if (request.method === 'GET') {
    gets[request.url](response);
    return;
  }
  let text = '';
  request.setEncoding('utf8').on('data', (d) => { text += d; });
  request.on('end', () => posts[request.url](text ? JSON.parse(text) : null, response));
});
server.listen(0, '127.0.0.1', () => process.stderr.write(`listening port=${server.address().port}\n`));
process.on('SIGTERM', () => process.exit(0));
