/* Prints the option entries of moonx-gateway(8) as mdoc, from the table that parsing and --help use. A build
 * tool: man/refresh puts its output into the page, `make check` compares. Not installed. */
#include "common/option_row.h"

#include <stdio.h>

static void print_entry(const struct option_row *row);
static void print_names(const struct option_row *row);
static void print_variables(const struct option_row *row);
static void print_range(const struct option_row *row);
static void print_default(const struct option_row *row);
static void print_text(const char *text);

int main(void) {
    const char *group = "";

    for (size_t i = 0; i < OPTION_ROW_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        if (strcmp(row->group, group) != 0) {
            printf("%s.Ss %c%s\n.Bl -tag -width Ds\n", *group != 0 ? ".El\n" : "",
                   row->group[0] >= 'a' ? row->group[0] - 'a' + 'A' : row->group[0],
                   row->group + 1);
            group = row->group;
        }
        print_entry(row);
    }
    puts(".El");
    return 0;
}

static void print_entry(const struct option_row *row) {
    print_names(row);
    print_text(row->prose);
    putchar('\n');
    print_variables(row);
    print_range(row);
    print_default(row);
    if (row->reload == OPTION_RELOAD_restart) {
        puts("A new value needs a restart.");
    }
}

static void print_names(const struct option_row *row) {
    char flag[OPTION_FLAG_BYTES];

    if (row->kind == OPTION_KIND_secret) {
        printf(".It Ev %s Pq no flag\n", row->environment);
        return;
    }
    fputs(".It", stdout);
    for (const char *word = row->flags; *word != 0; word += strspn(word, " ")) {
        size_t width = strcspn(word, " ");
        printf(" Fl %.*s ,", (int)width - 1, word + 1);
        word += width;
    }
    option_row_flag(row, flag);
    printf(" Fl %s", flag + 1);
    if (row->kind == OPTION_KIND_bool) {
        printf(" , Fl -no%s\n", flag + 1);
    } else {
        printf(" Ar %s\n", option_row_operand(row));
    }
}

static void print_variables(const struct option_row *row) {
    printf("Variable\n.Ev %s", row->environment);
    for (const char *word = row->aliases; *word != 0; word += strspn(word, " ")) {
        size_t width = strcspn(word, " ");
        printf(" ,\nelse\n.Ev %.*s", (int)width, word);
        word += width;
    }
    puts(" .");
}

static void print_range(const struct option_row *row) {
    if (row->kind == OPTION_KIND_int) {
        printf("From %lld to %lld%s%s.\n", row->min, row->max, *row->unit != 0 ? " " : "",
               row->unit);
    } else if (row->kind == OPTION_KIND_choice) {
        puts("One of");
        for (const char *word = row->unit; *word != 0; word += strspn(word, "|")) {
            size_t width = strcspn(word, "|");
            printf(".Cm %.*s%s\n", (int)width, word, word[width] == 0 ? " ." : " ,");
            word += width;
        }
    }
}

static void print_default(const struct option_row *row) {
    if (row->fallback[0] != 0) {
        fputs("Default:\n.Ql ", stdout);
        print_text(row->fallback);
        if (row->dev_fallback != NULL) {
            fputs(" ,\nwith\n.Fl -dev :\n.Ql ", stdout);
            print_text(row->dev_fallback);
        }
        puts(" .");
    }
}

/* Nothing of it may be taken for a request or an escape. */
static void print_text(const char *text) {
    for (const char *at = text; *at != 0; at++) {
        if (at > text && *at == ' ' && (at[-1] == '.' || at[-1] == '?') && at[1] >= 'A' &&
            at[1] <= 'Z') {
            putchar('\n'); /* mdoc wants each sentence on a line of its own */
        } else if (*at == '\\') {
            fputs("\\e", stdout);
        } else if (*at == '`') {
            fputs("\\(ga", stdout);
        } else {
            putchar(*at);
        }
        if (at[0] == ',' && at[1] > ' ') {
            fputs("\\:", stdout); /* here a long list may be broken */
        }
    }
}
