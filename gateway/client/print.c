#include "gateway/client/print.h"
#include "common/json.h"

#include <stdlib.h>
#include <time.h>

#define TIME_COLUMNS 13u /* "HH:MM:SS.mmm " */
#define TYPE_COLUMNS 19u

static const char *colour_of(struct span type);
static void put_time(FILE *out, struct span timestamp);

bool print_read_envelope(struct span text, struct print_envelope *out) {
    struct print_envelope envelope = {0};
    struct json_value whole, value;
    if (json_check(text, &whole, NULL) != JSON_OK || json_get(whole, "type", &value) != 1 ||
        value.type != JSON_STRING) {
        return false;
    }
    envelope.type = value.text;
    if (json_get(whole, "id", &value) == 1 && value.type == JSON_STRING) {
        envelope.id = value.text;
    }
    if (json_get(whole, "timestamp", &value) == 1 && value.type == JSON_NUMBER) {
        envelope.timestamp = value.text;
    }
    if (json_get(whole, "data", &value) == 1) {
        envelope.data = value.text;
    }
    envelope.snapshot = json_get(whole, "snapshot", &value) == 1 && value.type == JSON_TRUE;
    *out = envelope;
    return true;
}

/* Takes ":DIGITS" off the end of *text. */
static bool strip_number(struct span *text) {
    size_t end = text->length;
    while (end > 0 && text->data[end - 1] >= '0' && text->data[end - 1] <= '9') {
        end--;
    }
    if (end == text->length || end == 0 || text->data[end - 1] != ':') {
        return false;
    }
    text->length = end - 1;
    return true;
}

bool print_is_event(const struct print_envelope *envelope) {
    struct span id = envelope->id;
    return !envelope->snapshot && strip_number(&id) && strip_number(&id) && id.length > 0;
}

void print_message(FILE *out, enum print_style style, unsigned columns, struct span text,
                   const struct print_envelope *envelope) {
    if (style == PRINT_NOTHING) {
        return;
    }
    if (style == PRINT_JSON || envelope == NULL) {
        print_clean(out, text, SIZE_MAX);
    } else {
        size_t used = TIME_COLUMNS + TYPE_COLUMNS + 1;
        put_time(out, envelope->timestamp);
        fputs(colour_of(envelope->type), out);
        print_clean(out, envelope->type, columns == 0 ? SIZE_MAX : columns);
        for (size_t i = envelope->type.length; i < TYPE_COLUMNS; i++) {
            fputc(' ', out);
        }
        fputs("\033[0m ", out);
        used += envelope->type.length > TYPE_COLUMNS ? envelope->type.length - TYPE_COLUMNS : 0;
        print_clean(out, envelope->data,
                    columns == 0     ? SIZE_MAX
                    : columns > used ? columns - used
                                     : 0);
    }
    fputc('\n', out);
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

/* Local time of day of a timestamp in ms; blanks when there is none. */
static void put_time(FILE *out, struct span timestamp) {
    char digits[24] = "";
    struct tm parts;
    memcpy(digits, timestamp.data == NULL ? "" : timestamp.data,
           timestamp.length < sizeof(digits) ? timestamp.length : 0);
    long long ms = strtoll(digits, NULL, 10);
    time_t seconds = (time_t)(ms / 1000);
    if (ms <= 0 || localtime_r(&seconds, &parts) == NULL) {
        fprintf(out, "%*s", (int)TIME_COLUMNS, "");
        return;
    }
    fprintf(out, "%02d:%02d:%02d.%03d ", parts.tm_hour, parts.tm_min, parts.tm_sec,
            (int)(ms % 1000));
}
