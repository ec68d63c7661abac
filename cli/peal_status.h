/* `peal status`: the gateways of the cluster, as their heartbeats in Redis describe them. */
#ifndef PEAL_CLI_PEAL_STATUS_H
#define PEAL_CLI_PEAL_STATUS_H

/* argv[0] is "status". Gives the exit status: 0 if there is a gateway and all are ready; 1 if not;
 * 2 for wrong use. */
int peal_status_main(int argc, char **argv);

#endif
