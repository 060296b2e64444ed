#include "gateway/client/arguments_help.h"
#include "common/base.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define TEXT_COLUMN 27u

static const char head[] =
    "Usage: moonx-client [options]\n"
    "A WebSocket client for the MoonX Gateway. Most people need one of these:\n\n"
    "  moonx-client --token TOKEN                                 shows all that comes\n"
    "  moonx-client --publish chat:lobby hello '{\"n\":1}' --once   publishes, and knows it is "
    "safe\n\n"
    "In a script (exit status 0 when it came, else 1 and a line that says what did not):\n\n"
    "  moonx-client --send ping --expect pong --expect price_update:token=MOON --timeout 20\n";

static const char tail[] = "\nExit status: 0 after what was awaited, a normal close or Ctrl-C; 1 "
                           "on failure; 2 on wrong usage.\n";

static const struct row {
    const char *group, *flag, *values, *help; /* group: a title, and no more */
} rows[] = {
#define GROUP(title)                  {.group = (title)},
#define FLAG(name, names, who, help_) {.flag = (name), .values = (names), .help = (help_)},
#include "gateway/client/arguments_table.h"
#undef GROUP
#undef FLAG
};

static unsigned columns_of(FILE *out) {
    struct winsize size;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return 80;
    }
    return size.ws_col < 60 ? 60 : size.ws_col > 110 ? 110 : size.ws_col;
}

/* Words from TEXT_COLUMN on, on as many lines as they need. */
static void put_words(FILE *out, const char *text, unsigned columns) {
    size_t room = columns - TEXT_COLUMN;
    while (strlen(text) > room) {
        const char *blank = memrchr(text, ' ', room + 1);
        size_t length = blank == NULL ? room : (size_t)(blank - text);
        fprintf(out, "%.*s\n%*s", (int)length, text, (int)TEXT_COLUMN, "");
        text += length + (blank == NULL ? 0 : 1);
    }
    fprintf(out, "%s\n", text);
}

static void put_row(FILE *out, const struct row *row, unsigned columns) {
    int used = fprintf(out, "  %s%s%s", row->flag, row->values[0] == '\0' ? "" : " ", row->values);
    if (used >= (int)TEXT_COLUMN) {
        fputc('\n', out);
        used = 0;
    }
    fprintf(out, "%*s", (int)TEXT_COLUMN - used, "");
    put_words(out, row->help, columns);
}

void arguments_help(FILE *out) {
    unsigned columns = columns_of(out);
    fputs(head, out);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (rows[i].group != NULL) {
            fprintf(out, "\n%s:\n", rows[i].group);
        } else {
            put_row(out, &rows[i], columns);
        }
    }
    fputs(tail, out);
}
