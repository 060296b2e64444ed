#include "gateway/client/print.h"
#include <time.h>

#define TIME_COLUMNS 13u /* "HH:MM:SS.mmm " */
#define TYPE_COLUMNS 19u

static const char *colour_of(struct span type);
static void put_time(FILE *out, int64_t ms);
static void put_short(FILE *out, unsigned columns, const struct envelope *envelope,
                      const char *answers);

void print_message(FILE *out, enum print_style style, unsigned columns, struct span text,
                   const struct envelope *envelope, const char *answers) {
    if (style == PRINT_NOTHING) {
        return;
    }
    if (style == PRINT_JSON || envelope == NULL) {
        print_clean(out, text, SIZE_MAX);
    } else {
        put_short(out, columns, envelope, answers);
    }
    fputc('\n', out);
}

/* What is left of the columns, and never the 0 that means no limit. */
static size_t left(unsigned columns, size_t used) {
    return columns == 0 ? SIZE_MAX : columns > used ? columns - used : 1;
}

static void put_short(FILE *out, unsigned columns, const struct envelope *envelope,
                      const char *answers) {
    size_t type = envelope->type.length;
    size_t used = TIME_COLUMNS + 1 + (type > TYPE_COLUMNS ? type : TYPE_COLUMNS);
    put_time(out, envelope_time_ms(envelope));
    fputs(colour_of(envelope->type), out);
    print_clean(out, envelope->type, left(columns, TIME_COLUMNS));
    for (size_t i = type; i < TYPE_COLUMNS; i++) {
        fputc(' ', out);
    }
    fputs("\033[0m ", out);
    if (answers != NULL) {
        fputs("\033[2m", out);
        print_clean(out, span_of(answers), left(columns, used));
        fputs("\033[0m ", out);
        used += strlen(answers) + 1;
    }
    print_clean(out, envelope->data.text, left(columns, used));
}

void print_clean(FILE *out, struct span text, size_t columns) {
    size_t column = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        bool continues = (byte & 0xc0) == 0x80;
        bool c1 = byte == 0xc2 && i + 1 < text.length && (unsigned char)text.data[i + 1] < 0xa0;
        if (!continues && ++column >= columns && i + 1 < text.length) {
            fputs("\u2026", out);
            return;
        }
        if (byte < 0x20 || byte == 0x7f || c1) {
            fputc(' ', out);
            i += c1 ? 1 : 0;
        } else {
            fputc(byte, out);
        }
    }
}

static const char *colour_of(struct span type) {
    static const struct {
        const char *type, *colour;
    } table[] = {
        {"price_update", "\033[36m"}, {"trade_update", "\033[34m"},
        {"order_update", "\033[33m"}, {"notification", "\033[35m"},
        {"system_alert", "\033[31m"}, {"portfolio_update", "\033[32m"},
        {"error", "\033[1;31m"},      {"auth_failed", "\033[1;31m"},
        {"skipped", "\033[1;31m"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        if (span_is(type, table[i].type)) {
            return table[i].colour;
        }
    }
    return "\033[2m";
}

/* Local time of day of a timestamp; blanks when there is none. */
static void put_time(FILE *out, int64_t ms) {
    struct tm parts;
    time_t seconds = (time_t)(ms / 1000);
    if (ms <= 0 || localtime_r(&seconds, &parts) == NULL) {
        fprintf(out, "%*s", (int)TIME_COLUMNS, "");
        return;
    }
    fprintf(out, "%02d:%02d:%02d.%03d ", parts.tm_hour, parts.tm_min, parts.tm_sec,
            (int)(ms % 1000));
}
