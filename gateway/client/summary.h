/* What moonx-client says at its end, on stderr: events, rate, latency. */
#ifndef MOONX_GATEWAY_CLIENT_SUMMARY_H
#define MOONX_GATEWAY_CLIENT_SUMMARY_H

#include "gateway/client/session.h"

#include <stdio.h>

void summary_print(FILE *out, const struct session *session);

#endif
