#include "gateway/http/http_response.h"

#include "common/clock.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HEAD_MAX_BYTES 2048

static const struct status_row {
    unsigned status;
    const char *phrase; /* RFC 9110's, for the status line */
    const char *code;   /* in error bodies */
} status_table[] = {
    {200, "OK", "OK"},
    {202, "Accepted", "ACCEPTED"},
    {304, "Not Modified", "NOT_MODIFIED"},
    {400, "Bad Request", "BAD_REQUEST"},
    {401, "Unauthorized", "UNAUTHORIZED"},
    {403, "Forbidden", "FORBIDDEN"},
    {404, "Not Found", "NOT_FOUND"},
    {405, "Method Not Allowed", "METHOD_NOT_ALLOWED"},
    {408, "Request Timeout", "REQUEST_TIMEOUT"},
    {411, "Length Required", "LENGTH_REQUIRED"},
    {413, "Content Too Large", "CONTENT_TOO_LARGE"},
    {414, "URI Too Long", "URI_TOO_LONG"},
    {426, "Upgrade Required", "UPGRADE_REQUIRED"},
    {429, "Too Many Requests", "TOO_MANY_REQUESTS"},
    {431, "Request Header Fields Too Large", "REQUEST_HEADER_FIELDS_TOO_LARGE"},
    {500, "Internal Server Error", "INTERNAL_SERVER_ERROR"},
    {503, "Service Unavailable", "SERVICE_UNAVAILABLE"},
    {505, "HTTP Version Not Supported", "HTTP_VERSION_NOT_SUPPORTED"},
};

static const struct status_row *status_find(unsigned status);
static char *error_body(const char *code, const char *message);

void http_response_done(struct http_response *response) {
    free(response->body);
    *response = (struct http_response){0};
}

void http_response_error(struct http_response *response, unsigned status, const char *message) {
    http_response_error_code(response, status, status_find(status)->code, message);
}

void http_response_error_code(struct http_response *response, unsigned status, const char *code,
                              const char *message) {
    free(response->body);
    response->status = status;
    response->content_type = "application/json";
    response->body = error_body(code, message);
    response->body_length = response->body ? strlen(response->body) : 0;
}

/* RFC 9110 section 5.6.7; the process never calls setlocale, so the names are English. */
static void date_text(char *text, size_t size) {
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm parts;
    if (!gmtime_r(&now, &parts) || strftime(text, size, "%a, %d %b %Y %H:%M:%S GMT", &parts) == 0) {
        text[0] = '\0';
    }
}

int http_response_write(const struct http_response *response, bool head_only, char **out,
                        size_t *out_length) {
    char date[64];
    date_text(date, sizeof(date));
    /* 426 names what to upgrade to, and Connection must list that header (RFC 9110 section 15.5.22). */
    const char *connection = response->status == 426 ? "close, Upgrade" : "close";
    char head[HEAD_MAX_BYTES];
    int head_length = snprintf(
        head, sizeof(head),
        "HTTP/1.1 %u %s\r\n"
        "Date: %s\r\n"
        "Connection: %s\r\n"
        "Content-Type: %s\r\n"
        "Content-Length: %zu\r\n"
        "Cache-Control: %s\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "%s\r\n",
        response->status, status_find(response->status)->phrase, date, connection,
        response->content_type ? response->content_type : "text/plain", response->body_length,
        response->cache_control ? response->cache_control : "no-store", response->extra_headers);
    if (head_length < 0 || (size_t)head_length >= sizeof(head)) {
        return -ENOSPC;
    }
    size_t body_length = head_only || response->status == 304 ? 0 : response->body_length;
    char *block = malloc((size_t)head_length + body_length);
    if (!block) {
        return -ENOMEM;
    }
    memcpy(block, head, (size_t)head_length);
    if (body_length > 0) {
        memcpy(block + head_length, response->body, body_length);
    }
    *out = block;
    *out_length = (size_t)head_length + body_length;
    return 0;
}

/* A status that the table lacks is a mistake of this program. */
static const struct status_row *status_find(unsigned status) {
    static const struct status_row unknown = {500, "Error", "ERROR"};
    for (size_t i = 0; i < ARRAY_LENGTH(status_table); i++) {
        if (status_table[i].status == status) {
            return &status_table[i];
        }
    }
    return &unknown;
}

static char *error_body(const char *code, const char *message) {
    char *text = NULL;
    cJSON *root = cJSON_CreateObject();
    cJSON *error = cJSON_AddObjectToObject(root, "error");
    if (cJSON_AddStringToObject(error, "code", code) &&
        cJSON_AddStringToObject(error, "message", message)) {
        text = cJSON_PrintUnformatted(root);
    }
    cJSON_Delete(root);
    return text;
}
