/* `peal dead`: the dead letters, items that workers gave up. Looks at them, puts them back, drops them. */
#ifndef PEAL_CLI_PEAL_DEAD_H
#define PEAL_CLI_PEAL_DEAD_H

/* argv[0] is "dead". Gives the exit status: 0; 1 for a failure, or an id that is not there; 2 for wrong
 * use. */
int peal_dead_main(int argc, char **argv);

#endif
