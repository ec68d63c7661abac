/* peal: the program for people. The one place that links gateway and worker together. */

/* System */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
/* This process */
#include "peal_dead.h"
#include "peal_emit.h"
#include "peal_serve.h"
#include "peal_status.h"
#include "peal_token.h"

static const struct {
    const char *name, *what;
    int (*main)(int argc, char **argv);
} commands[] = {
    {"serve", "run everything in one process; needs no Redis", peal_serve_main},
    {"token", "make a JWT, or inspect one", peal_token_main},
    {"status", "show the gateways and workers of a cluster", peal_status_main},
    {"emit", "send an event to clients of a cluster", peal_emit_main},
    {"dead", "look at items that workers gave up; put them back or drop them", peal_dead_main},
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *to)
{
    fprintf(to, "usage: peal COMMAND [options]\n\ncommands:\n");
    for (size_t i = 0; i < NCOMMANDS; i++)
        fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].what);
    fprintf(to,
            "\n'peal COMMAND --help' explains a command, 'peal --version' names the version.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    for (size_t i = 0; i < NCOMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].main(argc - 1, argv + 1);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("peal %s\n", PEAL_VERSION);
        return 0;
    }
    bool asks = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
                strcmp(argv[1], "help") == 0;
    if (!asks) fprintf(stderr, "peal: \"%s\" is no command\n\n", argv[1]);
    usage(asks ? stdout : stderr);
    return asks ? 0 : 2;
}
