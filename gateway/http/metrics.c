#include "gateway/http/metrics.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdlib.h>

static void write_stat(FILE *out, const struct stat_info *info, enum stat_id id,
                       const struct host_view *view);
static void write_head(FILE *out, const char *name, const char *type, const char *help);

static int write_page(FILE *out, const struct host_view *view) {
    uint64_t now_ns = clock_mono_ns();
    for (unsigned id = 0; id < STAT_COUNT; id++) {
        write_stat(out, &stats_info[id], (enum stat_id)id, view);
    }
    for (const struct metrics_family *family = metrics_derived; family->name; family++) {
        write_head(out, family->name, family->type, family->help);
        family->write_samples(out, family->name, view, now_ns);
    }
    return ferror(out);
}

void metrics_answer(const struct server_context *context, struct http_response *response) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    bool failed = !out || write_page(out, context->view);
    if (out && fclose(out) != 0) {
        failed = true;
    }
    if (failed) {
        free(text);
        response->status = 500;
        return;
    }
    response->status = 200;
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    response->body = text;
    response->body_length = length;
}

void metrics_write_label(FILE *out, struct span value) {
    for (size_t i = 0; i < value.length; i++) {
        char c = value.data[i];
        if (c == '\n') {
            fputs("\\n", out);
            continue;
        }
        if (c == '\\' || c == '"') {
            fputc('\\', out);
        }
        fputc(c, out);
    }
}

static void write_head(FILE *out, const char *name, const char *type, const char *help) {
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_stat(FILE *out, const struct stat_info *info, enum stat_id id,
                       const struct host_view *view) {
    write_head(out, info->name, info->kind == STAT_gauge ? "gauge" : "counter", info->help);
    if (info->owner == STAT_ingest) {
        fprintf(out, "%s %" PRIu64 "\n", info->name, stats_get(&view->segment.ingest->stats, id));
        return;
    }
    for (uint32_t i = 0; i < view->worker_count; i++) {
        if (view->workers[i]) {
            fprintf(out, "%s{worker=\"%" PRIu32 "\"} %" PRIu64 "\n", info->name, i,
                    stats_get(&view->workers[i]->stats, id));
        }
    }
}
