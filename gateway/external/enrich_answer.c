#include "gateway/external/enrich_answer.h"

#include "common/json.h"

static enum enrich_verdict read_body(struct span body, struct span *metadata);
static bool fits(struct span object);

enum enrich_verdict enrich_answer_read(int status, struct span body, struct span *metadata) {
    if (status == 200) {
        return read_body(body, metadata);
    }
    if (status == 204 || status == 404) {
        return ENRICH_NOTHING;
    }
    return status == 0 || status == 429 || status >= 500 ? ENRICH_AGAIN : ENRICH_BAD;
}

static enum enrich_verdict read_body(struct span body, struct span *metadata) {
    struct json_value answer, found;
    struct span key;
    size_t cursor = 0;
    int result;

    if (json_check(body, &answer, NULL) != JSON_OK || answer.type != JSON_OBJECT) {
        return ENRICH_BAD;
    }
    result = json_get(answer, "metadata", &found);
    if (result == 1 && found.type == JSON_NULL) {
        return ENRICH_NOTHING;
    }
    if (result == 0) {
        found = answer;
    }
    if (result < 0 || found.type != JSON_OBJECT || !fits(found.text)) {
        return ENRICH_BAD;
    }
    if (json_next_member(found, &cursor, &key, &answer) == 0) {
        return ENRICH_NOTHING; /* {} */
    }
    *metadata = found.text;
    return ENRICH_KNOWN;
}

/* Of checked text: brackets outside of strings are in pairs. */
static bool fits(struct span object) {
    unsigned depth = 0, deepest = 0;
    bool quoted = false;

    for (size_t i = 0; i < object.length; i++) {
        char byte = object.data[i];
        if (quoted && byte == '\\') {
            i++;
        } else if (byte == '"') {
            quoted = !quoted;
        } else if (!quoted && (byte == '{' || byte == '[')) {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if (!quoted && (byte == '}' || byte == ']')) {
            depth--;
        }
    }
    return object.length <= ENRICH_METADATA_BYTES && deepest <= ENRICH_METADATA_DEPTH;
}
