#include "gateway/access/policy_row.h"

#include <stdarg.h>
#include <stdio.h>

struct placeholder_word {
    const char *word;
    enum policy_placeholder placeholder;
};

static const struct placeholder_word placeholder_words[] = {
    {"*", POLICY_ANYTHING},
    {"{userId}", POLICY_USER_ID},
    {"{role}", POLICY_ROLE_NAME},
};

static const struct {
    const char *word;
    enum policy_rule_kind kind;
    enum policy_placeholder needs; /* without it in the pattern the rule has no meaning */
} rule_words[] = {
    {"none", POLICY_NONE, POLICY_LITERAL},   {"user", POLICY_USER, POLICY_LITERAL},
    {"owner", POLICY_OWNER, POLICY_USER_ID}, {"role", POLICY_ROLE_HERE, POLICY_ROLE_NAME},
    {"ask", POLICY_ASK, POLICY_LITERAL},
};

struct row_parse {
    const struct table_row *line;
    char *error;
    size_t error_size;
};

static int parse_pattern(const struct row_parse *parse, struct span text, struct policy_row *row);
static int parse_rule(const struct row_parse *parse, const char *field, struct span text,
                      enum policy_placeholder placeholder, struct policy_rule *rule);
static int check_personal(const struct row_parse *parse, const struct policy_row *row);
static int refuse(const struct row_parse *parse, const char *format, ...) PRINTF_LIKE(2, 3);

int policy_row_parse(const struct table_row *line, struct policy_row *out, char *error,
                     size_t error_size) {
    struct row_parse parse = {line, error, error_size};
    struct policy_row row = {.placeholder = POLICY_LITERAL};
    int result;

    if (line->count != 3) {
        return refuse(&parse, "a rooms line is PATTERN JOIN PUBLISH; fields here: %u", line->count);
    }
    result = parse_pattern(&parse, line->fields[0], &row);
    if (result == 0) {
        result = parse_rule(&parse, "JOIN", line->fields[1], row.placeholder, &row.join);
    }
    if (result == 0) {
        result = parse_rule(&parse, "PUBLISH", line->fields[2], row.placeholder, &row.publish);
    }
    if (result == 0) {
        result = check_personal(&parse, &row);
    }
    if (result == 0) {
        *out = row;
    }
    return result;
}

bool policy_row_matches(const struct policy_row *row, struct span room, struct span *held) {
    size_t before = strlen(row->prefix), behind = strlen(row->suffix);
    size_t least = before + behind + (row->placeholder != POLICY_LITERAL);

    if (room.length < least || memcmp(room.data, row->prefix, before) != 0 ||
        memcmp(room.data + room.length - behind, row->suffix, behind) != 0) {
        return false;
    }
    *held = (struct span){room.data + before, room.length - before - behind};
    return row->placeholder != POLICY_LITERAL || held->length == 0;
}

static bool has_role(const struct policy_subject *subject, struct span role) {
    for (unsigned i = 0; i < subject->role_count; i++) {
        if (span_equal(subject->roles[i], role)) {
            return true;
        }
    }
    return false;
}

static bool allows(const struct policy_rule *rule, struct span room, struct span held,
                   const struct policy_subject *subject) {
    switch (rule->kind) {
    case POLICY_USER:
        return true;
    case POLICY_OWNER:
        return span_equal(held, subject->user_id);
    case POLICY_ROLE_HERE:
        return has_role(subject, held);
    case POLICY_ROLE_NAMED:
        return has_role(subject, span_of(rule->name));
    case POLICY_CLAIM:
        return room_claims_list(subject->room_claims, rule->name, room);
    case POLICY_ASK:
    case POLICY_NONE:
        break;
    }
    return false;
}

enum policy_result policy_row_judge(const struct policy_rule *rule, struct span room,
                                    struct span held, const struct policy_subject *subject) {
    if (subject->user_id.length == 0) {
        return POLICY_DENY; /* not authenticated */
    }
    if (rule->kind == POLICY_ASK) {
        return POLICY_LATER;
    }
    return allows(rule, room, held, subject) ? POLICY_ALLOW : POLICY_DENY;
}

/* The first placeholder in `text` at *at; NULL when there is none. */
static const struct placeholder_word *find_placeholder(struct span text, size_t *at) {
    for (size_t i = 0; i < text.length; i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(placeholder_words); j++) {
            size_t length = strlen(placeholder_words[j].word);
            if (text.length - i >= length &&
                memcmp(text.data + i, placeholder_words[j].word, length) == 0) {
                *at = i;
                return &placeholder_words[j];
            }
        }
    }
    return NULL;
}

/* Literal text of a pattern: room-name bytes, which exclude `*`, `{` and `}`. */
static bool copy_literal(struct span text, char to[ROOM_NAME_MAX_BYTES + 1]) {
    if (text.length > 0 && !room_name_valid(text)) {
        return false;
    }
    memcpy(to, text.data, text.length);
    to[text.length] = '\0';
    return true;
}

static int parse_pattern(const struct row_parse *parse, struct span text, struct policy_row *row) {
    size_t at = text.length;
    const struct placeholder_word *found = find_placeholder(text, &at);
    size_t width = found != NULL ? strlen(found->word) : 0;
    struct span before = {text.data, at};
    struct span behind = {text.data + at + width, text.length - at - width};
    bool fits = before.length + behind.length + (found != NULL) <= ROOM_NAME_MAX_BYTES;

    row->placeholder = found != NULL ? found->placeholder : POLICY_LITERAL;
    if (!fits || !copy_literal(before, row->prefix) || !copy_literal(behind, row->suffix)) {
        return refuse(parse,
                      "'" SPAN_FORMAT "' is no pattern (a room name of 1 to 128 of A-Z a-z 0-9 _ . "
                      ": @ | + = ~ -, with at most one of *, {userId} and {role})",
                      SPAN_ARGS(text));
    }
    return 0;
}

/* `role:NAME`, `claim:NAME`. 1: it was none of them. */
static int parse_named(const struct row_parse *parse, const char *field, struct span text,
                       struct policy_rule *rule) {
    static const struct {
        struct span word;
        enum policy_rule_kind kind;
    } words[] = {{SPAN_LITERAL("role:"), POLICY_ROLE_NAMED},
                 {SPAN_LITERAL("claim:"), POLICY_CLAIM}};

    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        size_t length = words[i].word.length, left = text.length - length;
        if (text.length < length || memcmp(text.data, words[i].word.data, length) != 0) {
            continue;
        }
        if (left == 0 || left > IDENTITY_ROLE_BYTES) {
            return refuse(parse, "%s: %s needs a name of 1 to %d bytes", field, words[i].word.data,
                          IDENTITY_ROLE_BYTES);
        }
        rule->kind = words[i].kind;
        memcpy(rule->name, text.data + length, left);
        rule->name[left] = '\0';
        return 0;
    }
    return 1;
}

static int parse_rule(const struct row_parse *parse, const char *field, struct span text,
                      enum policy_placeholder placeholder, struct policy_rule *rule) {
    int result;

    for (size_t i = 0; i < ARRAY_LENGTH(rule_words); i++) {
        if (!span_is(text, rule_words[i].word)) {
            continue;
        }
        if (rule_words[i].needs != POLICY_LITERAL && rule_words[i].needs != placeholder) {
            return refuse(parse, "%s: '%s' needs %s in the pattern", field, rule_words[i].word,
                          rule_words[i].needs == POLICY_USER_ID ? "{userId}" : "{role}");
        }
        rule->kind = rule_words[i].kind;
        return 0;
    }
    result = parse_named(parse, field, text, rule);
    return result != 1 ? result
                       : refuse(parse,
                                "%s: '" SPAN_FORMAT "' is none of none, user, owner, role, "
                                "role:NAME, claim:NAME and ask",
                                field, SPAN_ARGS(text));
}

static int check_personal(const struct row_parse *parse, const struct policy_row *row) {
    for (int kind = ROOM_USER; kind < ROOM_KIND_COUNT; kind++) {
        const char *personal = room_name_prefix((enum room_kind)kind);
        bool whole = row->placeholder == POLICY_LITERAL;
        bool here = strncmp(row->prefix, personal, strlen(personal)) == 0 &&
                    (!whole || strlen(row->prefix) > strlen(personal));
        if (here && row->join.kind != POLICY_NONE && row->join.kind != POLICY_OWNER) {
            return refuse(parse, "JOIN: rooms %s… are personal: only owner or none is possible",
                          personal);
        }
    }
    return 0;
}

static int refuse(const struct row_parse *parse, const char *format, ...) {
    va_list arguments;
    int put =
        snprintf(parse->error, parse->error_size, "%s:%u: ", parse->line->file, parse->line->line);

    if (put > 0 && (size_t)put < parse->error_size) {
        va_start(arguments, format);
        vsnprintf(parse->error + put, parse->error_size - (size_t)put, format, arguments);
        va_end(arguments);
    }
    return -EINVAL;
}
