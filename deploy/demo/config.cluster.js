/* The page behind the cluster's balancer: the login service has a path there, and clients use
 * WebSockets only, since polls would have to reach the same gateway each time. */
window.PEAL_DEMO = { loginUrl: '/login', transports: ['websocket'], rooms: true };
