/* --help, from the same rows that are parsed. */
#include "common/option_row.h"

#define INDENT     6
#define LEAST_WIDE 40
#define MOST_WIDE  120

static const char introduction[] =
    "Kafka events to browsers over WebSocket.\n"
    "\n"
    "To try it, with a broker and events of its own:\n"
    "  %1$s --dev\n"
    "In earnest:\n"
    "  JWT_SECRET_FILE=/etc/moonx/jwt-secret %1$s --kafka HOST:PORT\n"
    "A token for a client, signed with the configured secret:\n"
    "  %1$s token --user ID [--email E] [--role R] [--ttl SECONDS]\n"
    "\n"
    "  --help          this text\n"
    "  --version       the version\n"
    "  --check-config  checks options and the files that they name, then exits\n"
    "  --dev           development: loopback, demo broker, events and token\n"
    "\n"
    "An option is a flag (--name VALUE or --name=VALUE) or an environment variable;\n"
    "the flag wins. Secrets are variables or files only.\n";

static void print_row(FILE *out, const struct option_row *row, size_t columns);
static void print_wrapped(FILE *out, const char *text, size_t columns);

void option_print_help(FILE *out, const char *program, unsigned columns) {
    const char *group = "";
    size_t wide = columns < LEAST_WIDE ? LEAST_WIDE : columns > MOST_WIDE ? MOST_WIDE : columns;

    fprintf(out, "%s " MOONX_VERSION ": ", program);
    fprintf(out, introduction, program);
    for (size_t i = 0; i < OPTION_ROW_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        if (strcmp(row->group, group) != 0) {
            fprintf(out, "\n%s\n", row->group);
            group = row->group;
        }
        print_row(out, row, wide);
    }
}

/* "--port N, --websocket-service-port N", or the variable alone of a secret. */
static void print_names(FILE *out, const struct option_row *row) {
    char flag[OPTION_FLAG_BYTES];

    fputs("  ", out);
    if (row->kind == OPTION_KIND_secret) {
        fprintf(out, "%s (no flag)\n", row->environment);
        return;
    }
    for (const char *word = row->flags; *word != 0;) {
        size_t width = strcspn(word, " ");
        fprintf(out, "%.*s, ", (int)width, word);
        word += width + (word[width] == ' ');
    }
    option_row_flag(row, flag);
    if (row->kind == OPTION_KIND_bool) {
        fprintf(out, "%s, --no-%s\n", flag, flag + 2);
    } else {
        fprintf(out, "%s %s\n", flag, option_row_operand(row));
    }
}

/* "RING_BYTES; 1048576 to 68719476736 bytes; default 268435456 (--dev: 33554432)" */
static void make_facts(const struct option_row *row, char *text, size_t size) {
    bool ranged = row->kind == OPTION_KIND_int;
    bool worded = row->kind == OPTION_KIND_choice;
    FILE *out = fmemopen(text, size, "w");

    text[0] = 0;
    if (out == NULL) {
        return; /* out of memory: the help without this line is still of use */
    }
    fputs(row->environment, out);
    for (const char *word = row->aliases; *word != 0; word += strspn(word, " ")) {
        size_t width = strcspn(word, " ");
        fprintf(out, ", %.*s", (int)width, word);
        word += width;
    }
    if (ranged) {
        fprintf(out, "; %lld to %lld%s%s", row->min, row->max, *row->unit ? " " : "", row->unit);
    } else if (worded) {
        fprintf(out, "; %s", row->unit);
    }
    if (row->fallback[0] != 0) {
        fprintf(out, "; default %s", row->fallback);
    }
    if (row->dev_fallback != NULL) {
        fprintf(out, " (--dev: %s)", row->dev_fallback);
    }
    fclose(out);
}

static void print_row(FILE *out, const struct option_row *row, size_t columns) {
    char facts[2048];

    print_names(out, row);
    print_wrapped(out, row->prose, columns);
    make_facts(row, facts, sizeof(facts));
    print_wrapped(out, facts, columns);
}

/* A word longer than the line stands alone and sticks out: cut in two it could not be copied. */
static void print_wrapped(FILE *out, const char *text, size_t columns) {
    size_t column = 0;

    for (const char *word = text; *word != 0;) {
        size_t width = strcspn(word, " ");
        if (column > 0 && column + 1 + width > columns) {
            fputc('\n', out);
            column = 0;
        }
        if (column == 0) {
            column = (size_t)fprintf(out, "%*s%.*s", INDENT, "", (int)width, word);
        } else {
            column += (size_t)fprintf(out, " %.*s", (int)width, word);
        }
        word += width + strspn(word + width, " ");
    }
    fputc('\n', out);
}
