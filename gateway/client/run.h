/* The run of moonx-client: opens connections, waits for sockets, standard input, signals and time, and gives a session
 * what it needs. */
#ifndef MOONX_GATEWAY_CLIENT_RUN_H
#define MOONX_GATEWAY_CLIENT_RUN_H

#include "gateway/client/session.h"

/* Until all that was awaited has come, or it can't any more, or Ctrl-C. Gives the exit status. */
int run(const struct arguments *arguments, struct token *token);

#endif
