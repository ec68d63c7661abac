/* peal-worker: takes items from Redis and runs their handlers. */

/* Io */
#include "io/program.h"
/* Worker */
#include "wk_server.h"

int main(int argc, char **argv)
{
    struct cfg cfg;
    int code = 0;
    if (!program_configure(argc, argv, "peal-worker",
                           "Takes clients' events from Redis and runs their handlers.", &cfg,
                           &code))
        return code;
    code = wk_server_run(&cfg, "peal-worker", NULL);
    cfg_fini(&cfg);
    return code;
}
