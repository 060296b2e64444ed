/* The command line of moonx-client. Filled once by main(); the texts point into argv. */
#ifndef MOONX_GATEWAY_CLIENT_ARGUMENTS_H
#define MOONX_GATEWAY_CLIENT_ARGUMENTS_H

#include "gateway/client/print.h"
#include "gateway/client/ws_url.h"

#define ARGUMENTS_MAX_CHANNELS 100
#define ARGUMENTS_EXIT_USAGE   2

struct arguments {
    const char *url_text;
    struct ws_url url;
    const char *token, *token_file;
    const char *channels[ARGUMENTS_MAX_CHANNELS];
    unsigned channel_count;
    unsigned long count;      /* 0: without end */
    unsigned long timeout_ms; /* 0: without end */
    enum print_style style;
};

/* Defaults stand in *out already. --help and --version print and exit; anything wrong is said in one line
 * and exits with ARGUMENTS_EXIT_USAGE. */
void arguments_parse(int argc, char **argv, struct arguments *out);

#endif
