/* The command line of moonx-client. Filled once by main(); the texts point into argv and the environment. */
#ifndef MOONX_GATEWAY_CLIENT_ARGUMENTS_H
#define MOONX_GATEWAY_CLIENT_ARGUMENTS_H

#include "gateway/client/expect.h"
#include "gateway/client/print.h"
#include "gateway/client/ws_tls.h"
#include "gateway/client/ws_url.h"

#define ARGUMENTS_MAX_CHANNELS 100
#define ARGUMENTS_MAX_MESSAGES 100
#define ARGUMENTS_MAX_EXPECTS  32
#define ARGUMENTS_EXIT_USAGE   2

/* --send LINE, or --publish ROOM EVENT JSON. */
struct arguments_message {
    const char *line; /* NULL: a publish */
    const char *room, *event, *payload;
};

struct arguments {
    const char *url_text;
    struct ws_url url;
    struct ws_tls_trust trust;
    const char *token, *token_file;
    const char *channels[ARGUMENTS_MAX_CHANNELS];
    unsigned channel_count;
    struct arguments_message messages[ARGUMENTS_MAX_MESSAGES];
    unsigned message_count;
    struct expect expects[ARGUMENTS_MAX_EXPECTS];
    unsigned expect_count;
    unsigned long count;      /* 0: without end */
    unsigned long timeout_ms; /* 0: without end */
    bool once, read_stdin, summary, json, quiet;
    bool reconnect;       /* after a connection that was lost */
    bool reconnect_asked; /* by the flag: also when the first one fails */
    bool no_reconnect;
    enum print_style style; /* what json, quiet and the terminal come to */
};

/* Takes the environment, then the flags. --help and --version print and exit; anything wrong is said in one line and
 * exits with ARGUMENTS_EXIT_USAGE. */
void arguments_parse(int argc, char **argv, struct arguments *out);

/* It ends by itself: on --count, --expect or --once. */
bool arguments_await(const struct arguments *arguments);

#endif
