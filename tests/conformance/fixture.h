/* What the two fixture servers share: the settings the suites expect, and the run. */
#ifndef PEAL_TESTS_FIXTURE_H
#define PEAL_TESTS_FIXTURE_H

struct gw_handler;
struct gw_upper;

/* Runs a gateway on 127.0.0.1 and ::1, port argv[1], until a signal. more: further settings, NULL-terminated. */
int fixture_main(int argc, char **argv, const char *const *more, const struct gw_handler *handler,
                 const struct gw_upper *upper);

#endif
