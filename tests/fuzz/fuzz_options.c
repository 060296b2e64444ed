/* libFuzzer: options. Each line of the input is an argument, or, with `$` in front, a variable of the
 * environment (`$NAME=value`). Either all values are within their rows' limits, or one line says what is wrong
 * and nothing was written.
 * clang -fsanitize=fuzzer,address,undefined */
#include "common/option.h"

#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define MAX_INPUT          4096
#define MAX_LINES          32

struct line {
    char *text;
    char *name; /* of the variable it has set, else NULL */
};

static void set_variable(struct line *line) {
    char *equals = strchr(line->text, '=');
    if (equals == NULL || equals == line->text + 1) {
        return;
    }
    *equals = '\0';
    if (setenv(line->text + 1, equals + 1, 1) == 0) {
        line->name = line->text + 1;
    }
}

/* Only what the options know: PATH and the sanitizer's own variables are none of their business. */
static bool is_ours(const char *name) {
    static const char *const names[] = {
#define X(type, field, environment, aliases, flags, fallback, dev_fallback, min, max, unit, group, \
          reload, prose)                                                                           \
    environment,
        OPTION_TABLE(X)
#undef X
    };
    size_t length = strcspn(name, "=");
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strlen(names[i]) == length && strncmp(name, names[i], length) == 0) {
            return true;
        }
    }
    return strncmp(name, "PORT=", 5) == 0 || strncmp(name, "HOST=", 5) == 0;
}

static void check_limits(const struct options *options) {
    REQUIRE(options->websocket_service_port >= 0 && options->websocket_service_port <= 65535);
    REQUIRE(options->ws_ping_interval >= 100);
    REQUIRE(options->ws_max_message_bytes >= 125);
    REQUIRE(options->ws_max_queue_bytes >= 4096);
    REQUIRE(options->auto_join_rooms != NULL && options->instance_id != NULL);
    REQUIRE(options->instance_id[0] != '\0');
}

static void check_error(const char *error) {
    REQUIRE(error[0] != '\0');
    for (; *error != '\0'; error++) {
        REQUIRE((unsigned char)*error >= 0x20);
    }
}

static void parse(int argc, char **argv) {
    struct options options, untouched;
    struct option_command command;
    char error[512] = "";
    memset(&options, 0xa5, sizeof options);
    memset(&untouched, 0xa5, sizeof untouched);
    int result = option_parse(argc, argv, &options, &command, error, sizeof error);
    if (result == 0) {
        check_limits(&options);
        REQUIRE(command.argument_count >= 0 && command.argument_count < argc);
    } else {
        REQUIRE(result == -EINVAL);
        check_error(error);
        REQUIRE(memcmp(&options, &untouched, sizeof options) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > MAX_INPUT) {
        return 0;
    }
    char *text = malloc(size + 1), *rest = text, *line;
    REQUIRE(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    struct line lines[MAX_LINES];
    char *argv[MAX_LINES + 2] = {(char[]){"moonx-gateway"}};
    unsigned count = 0;
    int argc = 1;
    while ((line = strsep(&rest, "\n")) != NULL && count < MAX_LINES) {
        lines[count] = (struct line){.text = line};
        if (line[0] == '$' && is_ours(line + 1)) {
            set_variable(&lines[count]);
        } else if (line[0] != '$') {
            argv[argc++] = line;
        }
        count++;
    }
    parse(argc, argv);
    for (unsigned i = 0; i < count; i++) {
        if (lines[i].name != NULL) {
            unsetenv(lines[i].name);
        }
    }
    free(text);
    return 0;
}
