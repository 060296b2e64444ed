/* A JSON answer under construction: a cJSON tree that remembers whether memory ran out, so that the pages
 * which build one need to ask only once, at the end. Used by workers; lives while one request is answered. */
#ifndef MOONX_GATEWAY_HTTP_JSON_BODY_H
#define MOONX_GATEWAY_HTTP_JSON_BODY_H

#include "gateway/http/http_response.h"

#include <cjson/cJSON.h>

struct json_body {
    cJSON *root; /* an object */
    bool failed;
};

void json_body_start(struct json_body *body);
/* Frees the tree; the answer is its text, or a 500 without a body when memory ran out. */
void json_body_finish(struct json_body *body, unsigned status, struct http_response *response);

/* Each adds to `parent`, a node of this body; NULL (what a failed call gave back) is passed over. A NULL
 * name adds to an array. */
cJSON *json_body_object(struct json_body *body, cJSON *parent, const char *name);
cJSON *json_body_array(struct json_body *body, cJSON *parent, const char *name);
void json_body_text(struct json_body *body, cJSON *parent, const char *name, const char *value);
void json_body_bool(struct json_body *body, cJSON *parent, const char *name, bool value);
void json_body_null(struct json_body *body, cJSON *parent, const char *name);
/* Whole numbers keep every digit, also past 2^53. */
void json_body_count(struct json_body *body, cJSON *parent, const char *name, uint64_t value);
void json_body_integer(struct json_body *body, cJSON *parent, const char *name, int64_t value);

#endif
