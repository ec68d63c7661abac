/* peal-gateway: holds client connections. */

/* Io */
#include "io/program.h"
/* Gateway */
#include "gw_server.h"

int main(int argc, char **argv)
{
    struct cfg cfg;
    int code = 0;
    if (!program_configure(argc, argv, "peal-gateway",
                           "Terminates Socket.IO connections and passes their messages on.", &cfg,
                           &code))
        return code;
    code = gw_server_run(&cfg, &(struct program_args){argc, argv}, "peal-gateway", NULL, NULL);
    cfg_fini(&cfg);
    return code;
}
