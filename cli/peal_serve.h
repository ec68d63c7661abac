/* peal serve: a gateway, and a worker in the same process and loop if configuration names handlers. */
#ifndef PEAL_SERVE_H
#define PEAL_SERVE_H

/* argv[0] is "serve". Gives back the exit status. */
int peal_serve_main(int argc, char **argv);

#endif
