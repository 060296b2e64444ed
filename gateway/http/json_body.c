#include "gateway/http/json_body.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static cJSON *add(struct json_body *body, cJSON *parent, const char *name, cJSON *item);

void json_body_start(struct json_body *body) {
    body->root = cJSON_CreateObject();
    body->failed = body->root == NULL;
}

void json_body_finish(struct json_body *body, unsigned status, struct http_response *response) {
    char *text = body->failed ? NULL : cJSON_PrintUnformatted(body->root);
    cJSON_Delete(body->root);
    *body = (struct json_body){0};
    free(response->body);
    response->status = text ? status : 500;
    response->content_type = "application/json";
    response->body = text;
    response->body_length = text ? strlen(text) : 0;
}

cJSON *json_body_object(struct json_body *body, cJSON *parent, const char *name) {
    return add(body, parent, name, cJSON_CreateObject());
}

cJSON *json_body_array(struct json_body *body, cJSON *parent, const char *name) {
    return add(body, parent, name, cJSON_CreateArray());
}

void json_body_text(struct json_body *body, cJSON *parent, const char *name, const char *value) {
    add(body, parent, name, cJSON_CreateString(value));
}

void json_body_bool(struct json_body *body, cJSON *parent, const char *name, bool value) {
    add(body, parent, name, cJSON_CreateBool(value));
}

void json_body_null(struct json_body *body, cJSON *parent, const char *name) {
    add(body, parent, name, cJSON_CreateNull());
}

/* cJSON's own numbers are doubles, and print 10^15 as 1e+15. */
void json_body_count(struct json_body *body, cJSON *parent, const char *name, uint64_t value) {
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, value);
    add(body, parent, name, cJSON_CreateRaw(text));
}

void json_body_integer(struct json_body *body, cJSON *parent, const char *name, int64_t value) {
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    add(body, parent, name, cJSON_CreateRaw(text));
}

static cJSON *add(struct json_body *body, cJSON *parent, const char *name, cJSON *item) {
    bool added =
        parent && item &&
        (name ? cJSON_AddItemToObject(parent, name, item) : cJSON_AddItemToArray(parent, item));
    if (!added) {
        cJSON_Delete(item);
        body->failed = true;
        return NULL;
    }
    return item;
}
