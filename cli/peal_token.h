/* `peal token`: makes a token for trying things out, and explains one. */
#ifndef PEAL_CLI_PEAL_TOKEN_H
#define PEAL_CLI_PEAL_TOKEN_H

/* argv[0] is "token". Gives the exit status: 0; 1 for a failure or a token that does not verify; 2
 * for wrong use. */
int peal_token_main(int argc, char **argv);

#endif
