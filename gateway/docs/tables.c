/* Prints the tables of the code that the documentation is made from, as JSON. A build tool, not installed. */
#include "common/code_table.h"
#include "gateway/admin/admin.h"
#include "gateway/http/asset.h"
#include "gateway/http/metrics.h"
#include "gateway/http/server.h"
#include "gateway/message/message.h"
#include "shm/stats.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

/* The server's own are made from what this prints. */
const struct asset asset_table[1];
const size_t asset_count = 0;

static cJSON *add_row(cJSON *list, const char *name) {
    cJSON *row = cJSON_CreateObject();
    cJSON_AddStringToObject(row, "name", name);
    cJSON_AddItemToArray(list, row);
    return row;
}

static void add_messages(cJSON *root) {
    cJSON *list = cJSON_AddArrayToObject(root, "messages");
    for (const struct message_row *row = message_table; row->type != NULL; row++) {
        cJSON_AddBoolToObject(add_row(list, row->type), "beforeAuthentication",
                              row->before_authentication);
    }
}

static void add_paths(cJSON *root) {
    cJSON *list = cJSON_AddArrayToObject(root, "paths");
    for (const struct server_path *row = server_path_table; row->path != NULL; row++) {
        cJSON_AddBoolToObject(add_row(list, row->path), "admin", row->admin);
    }
    for (const struct admin_row *row = admin_table; row->path != NULL; row++) {
        cJSON_AddBoolToObject(add_row(list, row->path), "admin", true);
    }
}

static void add_codes(cJSON *root) {
    cJSON *errors = cJSON_AddArrayToObject(root, "errors");
    for (int code = 0; code < ERROR_CODE_COUNT; code++) {
        cJSON_AddStringToObject(add_row(errors, error_code_name((enum error_code)code)), "message",
                                error_code_message((enum error_code)code));
    }
    static const struct {
        const char *name;
        int code;
        const char *meaning;
    } closes[] = {
#define X(name, code, meaning) {#name, code, meaning},
        CLOSE_CODE_TABLE(X)
#undef X
    };
    cJSON *list = cJSON_AddArrayToObject(root, "closes");
    for (size_t i = 0; i < ARRAY_LENGTH(closes); i++) {
        cJSON *row = add_row(list, closes[i].name);
        cJSON_AddNumberToObject(row, "code", closes[i].code);
        cJSON_AddStringToObject(row, "meaning", closes[i].meaning);
    }
}

static void add_metrics(cJSON *root) {
    cJSON *list = cJSON_AddArrayToObject(root, "metrics");
    for (int id = 0; id < STAT_COUNT; id++) {
        cJSON *row = add_row(list, stats_info[id].name);
        cJSON_AddStringToObject(row, "kind",
                                stats_info[id].kind == STAT_counter ? "counter" : "gauge");
        cJSON_AddStringToObject(row, "owner",
                                stats_info[id].owner == STAT_ingest ? "ingest" : "worker");
        cJSON_AddStringToObject(row, "help", stats_info[id].help);
    }
    for (const struct metrics_family *family = metrics_derived; family->name != NULL; family++) {
        cJSON *row = add_row(list, family->name);
        cJSON_AddStringToObject(row, "kind", family->type);
        cJSON_AddStringToObject(row, "owner", "host");
        cJSON_AddStringToObject(row, "help", family->help);
    }
}

int main(void) {
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "version", MOONX_VERSION);
    add_messages(root);
    add_paths(root);
    add_codes(root);
    add_metrics(root);
    char *text = cJSON_Print(root);
    if (text == NULL) {
        fputs("out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    puts(text);
    cJSON_free(text);
    cJSON_Delete(root);
    return EXIT_SUCCESS;
}
