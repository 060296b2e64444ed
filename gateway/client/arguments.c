#include "gateway/client/arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
    "Usage: moonx-client --token TOKEN [options]\n"
    "Connects to a MoonX Gateway, authenticates and prints every message, one line each:\n"
    "short and coloured on a terminal, the JSON as it came in a pipe.\n\n"
    "  --url URL            ws://HOST:PORT/PATH (default ws://127.0.0.1:3008/ws)\n"
    "  --token TOKEN        the JWT; also from the environment variable MOONX_TOKEN\n"
    "  --token-file FILE    reads the JWT from a file\n"
    "  --subscribe CHANNEL  subscribes to a channel; may be repeated\n"
    "  --count N            closes and exits with 0 after N events from Kafka\n"
    "  --timeout S          gives up with exit status 1 after S seconds\n"
    "  --json               prints JSON on a terminal, too\n"
    "  --quiet              prints errors only\n"
    "  --help, --version\n\n"
    "Exit status: 0 after --count events, a normal close or Ctrl-C; 1 on failure; 2 on wrong "
    "usage.\n";

static void take_option(int option, const char *value, struct arguments *out);
static void usage_error(const char *option, const char *value, const char *allowed);

void arguments_parse(int argc, char **argv, struct arguments *out) {
    static const struct option known[] = {{"url", required_argument, NULL, 'u'},
                                          {"token", required_argument, NULL, 't'},
                                          {"token-file", required_argument, NULL, 'f'},
                                          {"subscribe", required_argument, NULL, 's'},
                                          {"count", required_argument, NULL, 'n'},
                                          {"timeout", required_argument, NULL, 'T'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'v'},
                                          {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        take_option(option, optarg, out);
    }
    if (optind < argc) {
        usage_error("argument", argv[optind], "unexpected");
    }
    int result = ws_url_parse(out->url_text, &out->url);
    if (result == -EPROTONOSUPPORT) {
        usage_error("--url", out->url_text, "wss:// is not supported yet, use ws://");
    } else if (result != 0) {
        usage_error("--url", out->url_text, "must be ws://HOST[:PORT][/PATH]");
    }
    if (out->style == PRINT_SHORT && !isatty(STDOUT_FILENO)) {
        out->style = PRINT_JSON;
    }
}

static void usage_error(const char *option, const char *value, const char *allowed) {
    fprintf(stderr, "moonx-client: %s %s: %s\n", option, value, allowed);
    exit(ARGUMENTS_EXIT_USAGE);
}

static unsigned long parse_number(const char *option, const char *text, unsigned long most) {
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value == 0 || value > most) {
        char allowed[64];
        snprintf(allowed, sizeof(allowed), "must be a whole number from 1 to %lu", most);
        usage_error(option, text, allowed);
    }
    return value;
}

static void take_option(int option, const char *value, struct arguments *out) {
    switch (option) {
    case 'u':
        out->url_text = value;
        break;
    case 't':
        out->token = value;
        break;
    case 'f':
        out->token_file = value;
        break;
    case 's':
        if (out->channel_count == ARGUMENTS_MAX_CHANNELS) {
            usage_error("--subscribe", value, "too many channels");
        }
        out->channels[out->channel_count++] = value;
        break;
    case 'n':
        out->count = parse_number("--count", value, 1000000000000ul);
        break;
    case 'T':
        out->timeout_ms = 1000 * parse_number("--timeout", value, 1000000);
        break;
    case 'j':
        out->style = PRINT_JSON;
        break;
    case 'q':
        out->style = PRINT_NOTHING;
        break;
    case 'h':
        fputs(usage, stdout);
        exit(EXIT_SUCCESS);
    case 'v':
        puts("moonx-client " MOONX_VERSION);
        exit(EXIT_SUCCESS);
    default: /* getopt has said what is wrong */
        exit(ARGUMENTS_EXIT_USAGE);
    }
}
