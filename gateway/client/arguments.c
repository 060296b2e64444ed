#include "gateway/client/arguments.h"
#include "common/option_hint.h"
#include "gateway/client/arguments_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_URL        "ws://127.0.0.1:3008/ws"
#define DEFAULT_TIMEOUT_MS 10000u
#define MAX_VALUES         3

typedef void taker(struct arguments *out, char **values);

/* clang-format off */
static taker take_url, take_token, take_token_file, take_reconnect, take_no_reconnect, take_subscribe, take_publish, take_ca, take_insecure,
    take_send, take_stdin, take_json, take_quiet, take_summary, take_count, take_expect, take_once, take_timeout,
    take_help, take_version;
/* clang-format on */

static const struct row {
    const char *flag;
    const char *values; /* their names, by spaces */
    taker *take;
} rows[] = {
#define GROUP(title)
#define FLAG(name, names, who, help) {name, names, who},
#include "gateway/client/arguments_table.h"
#undef GROUP
#undef FLAG
};

static void take_flag(char **argv, int *at, struct arguments *out);
static void complete(struct arguments *out);
static void usage_error(const char *option, const char *value, const char *allowed);

void arguments_parse(int argc, char **argv, struct arguments *out) {
    const char *url = getenv("MOONX_URL");
    *out = (struct arguments){.url_text = url == NULL || *url == '\0' ? DEFAULT_URL : url,
                              .token = getenv("MOONX_TOKEN")};
    for (int at = 1; at < argc; at++) {
        if (strncmp(argv[at], "--", 2) != 0) {
            usage_error("argument", argv[at], "unexpected; --help shows how to call it");
        }
        take_flag(argv, &at, out);
    }
    complete(out);
}

bool arguments_await(const struct arguments *arguments) {
    return arguments->count > 0 || arguments->expect_count > 0 || arguments->once;
}

/* What follows from the flags together. */
static void complete(struct arguments *out) {
    int result = ws_url_parse(out->url_text, &out->url);
    if (result != 0) {
        usage_error("--url", out->url_text, "must be ws://HOST[:PORT][/PATH] or wss://...");
    }
    bool terminal = isatty(STDOUT_FILENO) == 1;
    out->style = out->quiet ? PRINT_NOTHING : out->json || !terminal ? PRINT_JSON : PRINT_SHORT;
    out->summary = out->summary || (terminal && isatty(STDERR_FILENO) == 1 && !out->quiet);
    out->reconnect =
        out->reconnect_asked || (terminal && !arguments_await(out) && !out->no_reconnect);
    if (out->timeout_ms == 0 && (out->expect_count > 0 || out->once)) {
        out->timeout_ms = DEFAULT_TIMEOUT_MS;
    }
}

static void usage_error(const char *option, const char *value, const char *allowed) {
    fprintf(stderr, "moonx-client: %s %s: %s\n", option, value, allowed);
    exit(ARGUMENTS_EXIT_USAGE);
}

static void unknown_flag(struct span flag) {
    struct option_hint hint = {.wanted = flag};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        option_hint_consider(&hint, span_of(rows[i].flag));
    }
    fprintf(stderr, "moonx-client: unknown option " SPAN_FORMAT "%s%s%s\n", SPAN_ARGS(flag),
            hint.best[0] == '\0' ? "; --help lists them" : ", did you mean ", hint.best,
            hint.best[0] == '\0' ? "" : "?");
    exit(ARGUMENTS_EXIT_USAGE);
}

static const struct row *find_row(struct span flag) {
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (span_is(flag, rows[i].flag)) {
            return &rows[i];
        }
    }
    unknown_flag(flag);
    return NULL;
}

static int value_count(const struct row *row) {
    int count = row->values[0] == '\0' ? 0 : 1;
    for (const char *at = row->values; *at != '\0'; at++) {
        count += *at == ' ' ? 1 : 0;
    }
    return count;
}

/* The flag at argv[*at], as "--flag VALUE" or "--flag=VALUE", with its values; *at stands on the last of them. */
static void take_flag(char **argv, int *at, struct arguments *out) {
    char *flag = argv[*at], *values[MAX_VALUES];
    size_t length = strcspn(flag, "=");
    const struct row *row = find_row((struct span){flag, length});
    int wanted = value_count(row), have = 0;
    if (flag[length] == '=') {
        if (wanted == 0) {
            usage_error(row->flag, flag + length + 1, "takes no value");
        }
        values[have++] = flag + length + 1;
    }
    for (; have < wanted; have++) {
        if (argv[*at + 1] == NULL) {
            usage_error(row->flag, row->values, wanted > 1 ? "all are needed" : "is missing");
        }
        values[have] = argv[++*at];
    }
    row->take(out, values);
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

static void take_url(struct arguments *out, char **values) {
    out->url_text = values[0];
}

static void take_token(struct arguments *out, char **values) {
    out->token = values[0];
}

static void take_token_file(struct arguments *out, char **values) {
    out->token_file = values[0];
}

static void take_ca(struct arguments *out, char **values) {
    if (access(values[0], R_OK) != 0) {
        usage_error("--ca", values[0], strerror(errno));
    }
    out->trust.ca_file = values[0];
}

static void take_insecure(struct arguments *out, char **values) {
    (void)values;
    out->trust.insecure = true;
}

static void take_reconnect(struct arguments *out, char **values) {
    (void)values;
    out->reconnect_asked = true;
    out->no_reconnect = false;
}

static void take_no_reconnect(struct arguments *out, char **values) {
    (void)values;
    out->no_reconnect = true;
    out->reconnect_asked = false;
}

static void take_subscribe(struct arguments *out, char **values) {
    if (out->channel_count == ARGUMENTS_MAX_CHANNELS) {
        usage_error("--subscribe", values[0], "too many channels");
    }
    out->channels[out->channel_count++] = values[0];
}

static struct arguments_message *next_message(struct arguments *out, const char *flag,
                                              const char *value) {
    if (out->message_count == ARGUMENTS_MAX_MESSAGES) {
        usage_error(flag, value, "too many messages; --stdin takes any number");
    }
    return &out->messages[out->message_count++];
}

static void take_publish(struct arguments *out, char **values) {
    *next_message(out, "--publish", values[0]) =
        (struct arguments_message){.room = values[0], .event = values[1], .payload = values[2]};
}

static void take_send(struct arguments *out, char **values) {
    next_message(out, "--send", values[0])->line = values[0];
}

static void take_stdin(struct arguments *out, char **values) {
    (void)values;
    out->read_stdin = true;
}

static void take_json(struct arguments *out, char **values) {
    (void)values;
    out->json = true;
}

static void take_quiet(struct arguments *out, char **values) {
    (void)values;
    out->quiet = true;
}

static void take_summary(struct arguments *out, char **values) {
    (void)values;
    out->summary = true;
}

static void take_count(struct arguments *out, char **values) {
    out->count = parse_number("--count", values[0], 1000000000000ul);
}

static void take_expect(struct arguments *out, char **values) {
    if (out->expect_count == ARGUMENTS_MAX_EXPECTS) {
        usage_error("--expect", values[0], "too many");
    }
    if (expect_parse(values[0], &out->expects[out->expect_count]) != 0) {
        usage_error("--expect", values[0],
                    "must be TYPE or TYPE:FIELD=VALUE[,FIELD=VALUE] (at most 8)");
    }
    out->expect_count++;
}

static void take_once(struct arguments *out, char **values) {
    (void)values;
    out->once = true;
}

static void take_timeout(struct arguments *out, char **values) {
    out->timeout_ms = 1000 * parse_number("--timeout", values[0], 1000000);
}

static void take_help(struct arguments *out, char **values) {
    (void)out;
    (void)values;
    arguments_help(stdout);
    exit(EXIT_SUCCESS);
}

static void take_version(struct arguments *out, char **values) {
    (void)out;
    (void)values;
    puts("moonx-client " MOONX_VERSION);
    exit(EXIT_SUCCESS);
}
