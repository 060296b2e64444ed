#include "gateway/access/policy.h"

#include "gateway/access/policy_row.h"

#include <stdio.h>
#include <stdlib.h>

#define ROWS_FIRST 16u

struct policy {
    unsigned count, space;
    struct policy_row *rows; /* NULL: the built-in ones */
    struct room_claim_names claims;
};

/* deploy/rooms.example says the same, with comments; a test compares them. */
static const struct policy_row built_in_rows[] = {
    {.prefix = "prices", .join = {POLICY_USER, ""}},
    {.prefix = "prices:", .placeholder = POLICY_ANYTHING, .join = {POLICY_USER, ""}},
    {.prefix = "trades", .join = {POLICY_USER, ""}},
    {.prefix = "system_alerts", .join = {POLICY_USER, ""}},
    {.prefix = "user_actions", .join = {POLICY_USER, ""}},
    {.prefix = "notifications", .join = {POLICY_USER, ""}},
    {.prefix = "user:", .placeholder = POLICY_USER_ID, .join = {POLICY_OWNER, ""}},
    {.prefix = "portfolio:", .placeholder = POLICY_USER_ID, .join = {POLICY_OWNER, ""}},
    {.prefix = "orders:", .placeholder = POLICY_USER_ID, .join = {POLICY_OWNER, ""}},
    {.prefix = "notifications:", .placeholder = POLICY_USER_ID, .join = {POLICY_OWNER, ""}},
    {.prefix = "role:", .placeholder = POLICY_ROLE_NAME, .join = {POLICY_ROLE_HERE, ""}},
    {.prefix = "chat:",
     .placeholder = POLICY_ANYTHING,
     .join = {POLICY_USER, ""},
     .publish = {POLICY_USER, ""}},
    {.prefix = ROOM_PRESENCE, .placeholder = POLICY_ANYTHING, .join = {POLICY_USER, ""}},
    {.prefix = "order:", .placeholder = POLICY_ANYTHING, .join = {POLICY_ASK, ""}},
};

static struct policy *make(bool own_rows, char *error, size_t error_size);
static int take_row(void *context, const struct table_row *line, char *error, size_t error_size);
static int read_table(const char *path, struct policy *policy, char *error, size_t error_size);
static int judge_rows(int result, const char *name, const struct policy *policy, char *error,
                      size_t error_size);
static int finish(int result, struct policy *policy, struct policy **out);
static const struct policy_row *find_row(const struct policy *policy, struct span room,
                                         struct span *held);

int policy_new(const char *path, struct policy **out, char *error, size_t error_size) {
    struct policy *policy = make(path[0] != '\0', error, error_size);

    if (policy == NULL) {
        return -ENOMEM;
    }
    return finish(path[0] == '\0' ? 0 : read_table(path, policy, error, error_size), policy, out);
}

int policy_parse(const char *name, struct span text, struct policy **out, char *error,
                 size_t error_size) {
    struct policy *policy = make(true, error, error_size);

    if (policy == NULL) {
        return -ENOMEM;
    }
    return finish(judge_rows(table_file_parse(name, text, take_row, policy, error, error_size),
                             name, policy, error, error_size),
                  policy, out);
}

void policy_free(struct policy *policy) {
    if (policy != NULL) {
        free(policy->rows);
        free(policy);
    }
}

enum policy_result policy_judge(const struct policy *policy, enum policy_action action,
                                struct span room, const struct policy_subject *subject) {
    struct span held;
    const struct policy_row *row = find_row(policy, room, &held);

    if (row == NULL) {
        return POLICY_UNKNOWN;
    }
    return policy_row_judge(action == POLICY_JOIN ? &row->join : &row->publish, room, held,
                            subject);
}

const struct room_claim_names *policy_claims(const struct policy *policy) {
    static const struct room_claim_names none;

    return policy == NULL ? &none : &policy->claims;
}

static int read_table(const char *path, struct policy *policy, char *error, size_t error_size) {
    return judge_rows(table_file_read(path, take_row, policy, error, error_size), path, policy,
                      error, error_size);
}

/* A file that has been emptied, or is about to be written, would deny everything to everybody. */
static int judge_rows(int result, const char *name, const struct policy *policy, char *error,
                      size_t error_size) {
    if (result == 0 && policy->count == 0) {
        snprintf(error, error_size, "%s: no rooms in it", name);
        result = -EINVAL;
    }
    return result;
}

/* With rows of its own, none yet. */
static struct policy *make(bool own_rows, char *error, size_t error_size) {
    struct policy *policy = calloc(1, sizeof(*policy));

    if (policy != NULL && own_rows) {
        policy->space = ROWS_FIRST;
        policy->rows = malloc(ROWS_FIRST * sizeof(*policy->rows));
    }
    if (policy == NULL || (own_rows && policy->rows == NULL)) {
        free(policy);
        snprintf(error, error_size, "the rooms table: out of memory");
        return NULL;
    }
    return policy;
}

static int finish(int result, struct policy *policy, struct policy **out) {
    if (result != 0) {
        policy_free(policy);
        return result;
    }
    *out = policy;
    return 0;
}

static bool same_pattern(const struct policy_row *a, const struct policy_row *b) {
    return a->placeholder == b->placeholder && strcmp(a->prefix, b->prefix) == 0 &&
           strcmp(a->suffix, b->suffix) == 0;
}

static int grow(struct policy *policy) {
    unsigned space = policy->space < ROWS_FIRST ? ROWS_FIRST : policy->space * 2;
    struct policy_row *rows;

    if (policy->count < policy->space) {
        return 0;
    }
    rows = realloc(policy->rows, space * sizeof(*rows));
    if (rows == NULL) {
        return -ENOMEM;
    }
    policy->rows = rows;
    policy->space = space;
    return 0;
}

static bool keep_claim(struct room_claim_names *claims, const struct policy_rule *rule) {
    if (rule->kind != POLICY_CLAIM) {
        return true;
    }
    for (unsigned i = 0; i < claims->count; i++) {
        if (strcmp(claims->names[i], rule->name) == 0) {
            return true;
        }
    }
    if (claims->count == ROOM_CLAIM_NAMES_MAX) {
        return false;
    }
    static_assert(sizeof(claims->names[0]) >= sizeof(rule->name), "a name fits");
    memcpy(claims->names[claims->count++], rule->name, sizeof(rule->name));
    return true;
}

static int take_row(void *context, const struct table_row *line, char *error, size_t error_size) {
    struct policy *policy = context;
    struct policy_row row;
    int result = policy_row_parse(line, &row, error, error_size);

    if (result != 0) {
        return result;
    }
    if (policy->count == POLICY_MAX_ROWS) {
        snprintf(error, error_size, "%s:%u: more than %d lines", line->file, line->line,
                 POLICY_MAX_ROWS);
        return -E2BIG;
    }
    for (unsigned i = 0; i < policy->count; i++) {
        if (same_pattern(&policy->rows[i], &row)) {
            snprintf(error, error_size, "%s:%u: this pattern stands twice", line->file, line->line);
            return -EEXIST;
        }
    }
    if (!keep_claim(&policy->claims, &row.join) || !keep_claim(&policy->claims, &row.publish)) {
        snprintf(error, error_size, "%s:%u: more than %d claims are named", line->file, line->line,
                 ROOM_CLAIM_NAMES_MAX);
        return -E2BIG;
    }
    result = grow(policy);
    if (result == 0) {
        policy->rows[policy->count++] = row;
    }
    return result;
}

static const struct policy_row *find_row(const struct policy *policy, struct span room,
                                         struct span *held) {
    bool own = policy != NULL && policy->rows != NULL;
    const struct policy_row *rows = own ? policy->rows : built_in_rows;
    unsigned count = own ? policy->count : (unsigned)ARRAY_LENGTH(built_in_rows);

    if (!room_name_valid(room)) {
        return NULL;
    }
    for (unsigned i = 0; i < count; i++) {
        if (policy_row_matches(&rows[i], room, held)) {
            return &rows[i];
        }
    }
    return NULL;
}
