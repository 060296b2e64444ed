#include "common/issuer_list.h"

static bool names_issuer(const char *text);
static bool read_one(struct span text, struct issuer_place *out);
static bool named_before(const struct issuer_place *places, unsigned count);

int issuer_list_read(const char *text, struct issuer_place places[ISSUER_LIST_MAX],
                     const char **why) {
    unsigned count = 0;

    if (!names_issuer(text)) {
        places[0] = (struct issuer_place){.issuer = {"", 0}, .place = span_of(text)};
        return text[0] != '\0';
    }
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ",");
        if (count == ISSUER_LIST_MAX) {
            *why = "names more than 8 issuers";
            return -EINVAL;
        }
        if (!read_one((struct span){at, length}, &places[count])) {
            *why = "is neither one place nor a list ISSUER=PLACE,ISSUER=PLACE";
            return -EINVAL;
        }
        if (named_before(places, count++)) {
            *why = "names an issuer twice";
            return -EINVAL;
        }
        at += length;
        if (*at == '\0') {
            return (int)count;
        }
    }
}

/* An issuer's name holds no `=`, its place may. */
static bool read_one(struct span text, struct issuer_place *out) {
    const char *equals = memchr(text.data, '=', text.length);
    size_t before = equals == NULL ? 0 : (size_t)(equals - text.data);

    if (equals == NULL) {
        return false;
    }
    out->issuer = span_trim((struct span){text.data, before}, " ");
    out->place = span_trim((struct span){equals + 1, text.length - before - 1}, " ");
    return out->issuer.length > 0 && out->place.length > 0;
}

/* An issuer's name holds no question mark: an `=` behind one is an address's own. */
static bool names_issuer(const char *text) {
    return text[strcspn(text, "=?")] == '=';
}

static bool named_before(const struct issuer_place *places, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (span_equal(places[i].issuer, places[count].issuer)) {
            return true;
        }
    }
    return false;
}
