/* `moonx-gateway token --user ID [--email E] [--role R]... [--ttl S]`: prints a token made with the
 * configured secret. A command of its own: runs, prints, ends; the supervisor too lets a child do it. */
#ifndef MOONX_GATEWAY_SUPERVISOR_TOKEN_H
#define MOONX_GATEWAY_SUPERVISOR_TOKEN_H

#include "common/base.h"
#include "common/option.h"

/* argv[0] is the word `token`. Returns the process's exit status: 0; 2 after one line on stderr. */
int token_command(int argc, char *const *argv, const struct options *options, bool dev);

#endif
