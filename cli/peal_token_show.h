/* Shows the parts of a token to a person. Checks no signature. */
#ifndef PEAL_CLI_PEAL_TOKEN_SHOW_H
#define PEAL_CLI_PEAL_TOKEN_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/str_view.h"

/* Prints header, payload and times on stdout, and puts the header's alg into alg ("" if it is none
 * or does not fit). False, with the reason on stderr, if the token cannot be read. */
bool peal_token_show(struct str_view token, int64_t now, char *alg, size_t alg_size);

#endif
