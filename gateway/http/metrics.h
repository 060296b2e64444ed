/* GET /metrics, in Prometheus' text format 0.0.4: every row of shm/stats_table.h (ingest's as they are, the
 * workers' labelled by worker), and the figures of metrics_derived, which are worked out from other shared
 * memory. */
#ifndef MOONX_GATEWAY_HTTP_METRICS_H
#define MOONX_GATEWAY_HTTP_METRICS_H

#include "gateway/http/server.h"

#include <stdio.h>

struct metrics_family {
    const char *name; /* whole, with moonx_ */
    const char *type; /* gauge or counter */
    const char *help;
    void (*write_samples)(FILE *out, const char *name, const struct host_view *view,
                          uint64_t now_mono_ns);
};

/* Ends with a row whose name is NULL. */
extern const struct metrics_family metrics_derived[];

void metrics_answer(const struct server_context *context, struct http_response *response);

/* `value` as it stands between the quotes of a label: `\`, `"` and line feeds escaped. */
void metrics_write_label(FILE *out, struct span value);

#endif
