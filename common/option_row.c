#include "common/option_row.h"

#include "common/json.h"

#include <ctype.h>
#include <limits.h>
#include <unistd.h>

#define MOST_SHOWN 64 /* bytes of a bad value; each becomes at most 6 */

const struct option_row option_rows[OPTION_ROW_COUNT] = {
#define X(type, field, environment, aliases, flags, fallback, dev, min, max, unit, group, reload,  \
          prose)                                                                                   \
    {OPTION_KIND_##type,                                                                           \
     OPTION_RELOAD_##reload,                                                                       \
     offsetof(struct options, field),                                                              \
     environment,                                                                                  \
     aliases,                                                                                      \
     flags,                                                                                        \
     fallback,                                                                                     \
     dev,                                                                                          \
     min,                                                                                          \
     max,                                                                                          \
     unit,                                                                                         \
     group,                                                                                        \
     prose},
    OPTION_TABLE(X)
#undef X
};

static int refuse(const struct option_row *row, const char *name, const char *text, char *error,
                  size_t error_size);
static bool set_int(const struct option_row *row, const char *text, void *field);
static bool set_bool(const struct option_row *row, const char *text, void *field);
static bool set_text(const struct option_row *row, const char *text, void *field);
static bool set_choice(const struct option_row *row, const char *text, void *field);

void option_row_flag(const struct option_row *row, char flag[OPTION_FLAG_BYTES]) {
    size_t length = 2;

    memcpy(flag, "--", 2);
    for (const char *from = row->environment; *from != 0 && length < OPTION_FLAG_BYTES - 1;
         from++) {
        flag[length++] = (char)(*from == '_' ? '-' : tolower((unsigned char)*from));
    }
    flag[length] = 0;
}

const char *option_row_operand(const struct option_row *row) {
    static const char *const operands[] = {
        [OPTION_KIND_int] = "N",       [OPTION_KIND_bool] = "",   [OPTION_KIND_text] = "TEXT",
        [OPTION_KIND_choice] = "WORD", [OPTION_KIND_secret] = "", [OPTION_KIND_url] = "URL",
    };
    static_assert(ARRAY_LENGTH(operands) == OPTION_KIND_COUNT, "an operand for each kind");
    return operands[row->kind];
}

bool option_row_lists(const char *list, char separator, struct span word) {
    while (*list != 0) {
        const char *end = strchrnul(list, separator);
        if (word.length > 0 && span_equal((struct span){list, (size_t)(end - list)}, word)) {
            return true;
        }
        list = *end != 0 ? end + 1 : end;
    }
    return false;
}

/* Only numbers whose default is "auto" may be so: the number of cores. */
static bool may_be_auto(const struct option_row *row) {
    return row->kind == OPTION_KIND_int && strcmp(row->fallback, "auto") == 0;
}

static void allowed_choice(const struct option_row *row, char *buffer, size_t size) {
    size_t length = 0;

    for (const char *word = row->unit; *word != 0 && length < size;) {
        size_t width = strcspn(word, "|");
        const char *before = length == 0 ? "" : strchr(word, '|') != NULL ? ", " : " or ";
        length +=
            (size_t)snprintf(buffer + length, size - length, "%s%.*s", before, (int)width, word);
        word += width + (word[width] == '|');
    }
}

void option_row_allowed(const struct option_row *row, char *buffer, size_t size) {
    const char *unit = row->unit;

    switch (row->kind) {
    case OPTION_KIND_int:
        snprintf(buffer, size, "%sa whole number%s%s from %lld to %lld",
                 may_be_auto(row) ? "auto or " : "", *unit != 0 ? " of " : "", unit, row->min,
                 row->max);
        break;
    case OPTION_KIND_bool:
        snprintf(buffer, size, "true or false");
        break;
    case OPTION_KIND_choice:
        allowed_choice(row, buffer, size);
        break;
    default:
        if (row->min > 0) {
            snprintf(buffer, size, "%lld to %lld bytes of text", row->min, row->max);
        } else {
            snprintf(buffer, size, "at most %lld bytes of text", row->max);
        }
    }
}

void option_row_show(struct span text, char shown[OPTION_SHOWN_BYTES]) {
    bool cut = text.length > MOST_SHOWN;
    long length;

    text.length = cut ? MOST_SHOWN : text.length;
    length = json_escape(text, shown, OPTION_SHOWN_BYTES - sizeof("..."));
    length = length > 0 ? length : 0;
    snprintf(shown + length, OPTION_SHOWN_BYTES - (size_t)length, "%s", cut ? "..." : "");
}

int option_row_set(const struct option_row *row, const char *name, const char *text,
                   struct options *out, char *error, size_t error_size) {
    typedef bool setter(const struct option_row *, const char *, void *);
    static setter *const setters[] = {
        [OPTION_KIND_int] = set_int,     [OPTION_KIND_bool] = set_bool,
        [OPTION_KIND_text] = set_text,   [OPTION_KIND_choice] = set_choice,
        [OPTION_KIND_secret] = set_text, [OPTION_KIND_url] = set_text,
    };

    if (setters[row->kind](row, text, (char *)out + row->offset)) {
        return 0;
    }
    return refuse(row, name, text, error, error_size);
}

static int refuse(const struct option_row *row, const char *name, const char *text, char *error,
                  size_t error_size) {
    char allowed[256], shown[OPTION_SHOWN_BYTES];

    option_row_allowed(row, allowed, sizeof(allowed));
    if (row->kind == OPTION_KIND_secret || row->kind == OPTION_KIND_url) {
        snprintf(error, error_size, "%s: not %s", name, allowed);
        return -EINVAL;
    }
    option_row_show(span_of(text), shown);
    snprintf(error, error_size, "%s: \"%s\" is not %s", name, shown, allowed);
    return -EINVAL;
}

static long long cores(const struct option_row *row) {
    long long count = sysconf(_SC_NPROCESSORS_ONLN);

    return count < row->min ? row->min : count > row->max ? row->max : count;
}

/* Digits only, a minus in front where the range has negative numbers. */
static bool parse_int(const char *text, long long *out) {
    bool negative = *text == '-';
    long long number = 0;

    text += negative;
    if (*text == 0) {
        return false;
    }
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9' || number > (LLONG_MAX - 9) / 10) {
            return false;
        }
        number = number * 10 + (*text - '0');
    }
    *out = negative ? -number : number;
    return true;
}

static bool set_int(const struct option_row *row, const char *text, void *field) {
    long long number;

    if (may_be_auto(row) && strcmp(text, "auto") == 0) {
        number = cores(row);
    } else if (!parse_int(text, &number) || number < row->min || number > row->max) {
        return false;
    }
    *(option_int *)field = number;
    return true;
}

static bool set_bool(const struct option_row *row, const char *text, void *field) {
    bool value = strcmp(text, "true") == 0;

    (void)row;
    if (!value && strcmp(text, "false") != 0) {
        return false;
    }
    *(option_bool *)field = value;
    return true;
}

static bool is_printable(struct span text) {
    for (size_t i = 0; i < text.length; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return false;
        }
    }
    return json_utf8_valid(text);
}

static bool set_text(const struct option_row *row, const char *text, void *field) {
    struct span value = span_of(text);

    if ((long long)value.length < row->min || (long long)value.length > row->max) {
        return false;
    }
    if (row->kind != OPTION_KIND_secret && !is_printable(value)) {
        return false;
    }
    *(option_text *)field = text;
    return true;
}

static bool set_choice(const struct option_row *row, const char *text, void *field) {
    if (!option_row_lists(row->unit, '|', span_of(text))) {
        return false;
    }
    *(option_choice *)field = text;
    return true;
}
