/* bench_load: the load generator. Opens WebSocket connections from one or several processes, each with a
 * user of its own, then counts deliveries and their latency.
 *
 *   bench_load --port P --secret-file FILE [--connections N] [--processes K] [--in-flight C]
 *              [--first-user U] [--nice N] [--expires SECONDS-SINCE-1970] [--position JSON] [--deflate] [--deaf]
 *
 * Says {"ready":N,"failed":F,"retries":R,"seconds":S} when all are told their rooms, or with
 * --position that they are recovered (or failed); --deaf: they read no more from then on. Then obeys its standard
 * input, one word a line, one line of JSON or one word back:
 *   mark     counting starts anew             report   what came since the last mark
 * At the end of the input it stops its processes and ends. */
#include "tests/bench/load_child.h"

#include <getopt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define READY_TIMEOUT_MS 120000u

static int parse(int argc, char **argv, struct load_settings *out);
static int start_children(const struct load_settings *settings, struct load_share *share,
                          pid_t *pids);
static bool wait_ready(const struct load_settings *settings, const struct load_share *share);
static void obey(const struct load_settings *settings, struct load_share *share, const pid_t *pids);

int main(int argc, char **argv) {
    struct load_settings settings = {.connections = 1000,
                                     .processes = 1,
                                     .in_flight = 128,
                                     .expires_s = (long long)time(NULL) + 3600};
    pid_t pids[LOAD_MAX_PROCESSES];
    if (parse(argc, argv, &settings) != 0) {
        fprintf(stderr, "bench_load: wrong usage, see the head of bench_load.c\n");
        return 2;
    }
    struct load_share *share =
        mmap(NULL, sizeof(*share), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (share == MAP_FAILED || start_children(&settings, share, pids) != 0) {
        perror("bench_load");
        return EXIT_FAILURE;
    }
    bool ready = wait_ready(&settings, share);
    if (ready) {
        obey(&settings, share, pids);
    }
    for (unsigned i = 0; i < settings.processes; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    return ready ? EXIT_SUCCESS : EXIT_FAILURE;
}

static char *read_secret(const char *path, size_t *length) {
    static char secret[65536];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return NULL;
    }
    *length = fread(secret, 1, sizeof(secret), file);
    fclose(file);
    while (*length > 0 && (secret[*length - 1] == '\n' || secret[*length - 1] == '\r')) {
        (*length)--;
    }
    return secret;
}

static int parse(int argc, char **argv, struct load_settings *out) {
    static const struct option known[] = {{"port", required_argument, NULL, 'p'},
                                          {"secret-file", required_argument, NULL, 's'},
                                          {"connections", required_argument, NULL, 'n'},
                                          {"processes", required_argument, NULL, 'k'},
                                          {"in-flight", required_argument, NULL, 'c'},
                                          {"first-user", required_argument, NULL, 'u'},
                                          {"nice", required_argument, NULL, 'i'},
                                          {"expires", required_argument, NULL, 'e'},
                                          {"position", required_argument, NULL, 'r'},
                                          {"deflate", no_argument, NULL, 'z'},
                                          {"deaf", no_argument, NULL, 'd'},
                                          {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        int value = optarg == NULL ? 0 : atoi(optarg);
        switch (option) {
        case 'p':
            out->port = (uint16_t)value;
            break;
        case 's':
            out->secret = read_secret(optarg, &out->secret_length);
            break;
        case 'n':
            out->connections = (unsigned)value;
            break;
        case 'k':
            out->processes = (unsigned)value;
            break;
        case 'c':
            out->in_flight = (unsigned)value;
            break;
        case 'u':
            out->first_user = (unsigned)value;
            break;
        case 'i':
            out->nice = value;
            break;
        case 'e':
            out->expires_s = atoll(optarg);
            break;
        case 'r':
            out->position = optarg;
            break;
        case 'z':
            out->deflate = true;
            break;
        case 'd':
            out->deaf = true;
            break;
        default:
            return -EINVAL;
        }
    }
    bool good = out->port != 0 && out->secret != NULL && out->connections > 0 &&
                out->processes > 0 && out->processes <= LOAD_MAX_PROCESSES &&
                out->processes <= out->connections && out->in_flight > 0 &&
                (out->position == NULL || strlen(out->position) < LOAD_POSITION_BYTES);
    return good ? 0 : -EINVAL;
}

static int start_children(const struct load_settings *settings, struct load_share *share,
                          pid_t *pids) {
    unsigned first = 0;
    for (unsigned i = 0; i < settings->processes; i++) {
        struct load_process process = {.settings = settings, .share = share, .first = first};
        process.child = &share->children[i];
        process.count = settings->connections / settings->processes +
                        (i < settings->connections % settings->processes ? 1 : 0);
        first += process.count;
        pids[i] = fork();
        if (pids[i] < 0) {
            return -errno;
        }
        if (pids[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            _exit(load_child_main(&process));
        }
    }
    return 0;
}

/* All children's counts added up. */
static void sum(const struct load_settings *settings, const struct load_share *share,
                struct load_counts *out) {
    memset(out, 0, sizeof(*out));
    uint64_t *total = (uint64_t *)out;
    for (unsigned i = 0; i < settings->processes; i++) {
        const uint64_t *one = (const uint64_t *)&share->children[i].counts;
        for (size_t word = 0; word < sizeof(*out) / sizeof(uint64_t); word++) {
            total[word] += __atomic_load_n(&one[word], __ATOMIC_RELAXED);
        }
    }
}

static bool wait_ready(const struct load_settings *settings, const struct load_share *share) {
    static struct load_counts counts;
    uint64_t start = clock_mono_ms();
    uint64_t spent;
    do {
        usleep(10000);
        sum(settings, share, &counts);
        spent = clock_mono_ms() - start;
    } while (counts.ready + counts.failed + counts.closed < settings->connections &&
             spent < READY_TIMEOUT_MS);
    printf("{\"ready\":%llu,\"failed\":%llu,\"retries\":%llu,\"seconds\":%.3f}\n",
           (unsigned long long)counts.ready, (unsigned long long)counts.failed,
           (unsigned long long)counts.retries, (double)spent / 1000.0);
    fflush(stdout);
    return counts.ready > 0;
}

static double children_cpu_s(const struct load_settings *settings, const pid_t *pids) {
    double total = 0;
    for (unsigned i = 0; i < settings->processes; i++) {
        char path[64];
        unsigned long long ns = 0;
        snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pids[i]);
        FILE *file = fopen(path, "r");
        if (file != NULL) {
            total += fscanf(file, "%llu", &ns) == 1 ? (double)ns / 1e9 : 0;
            fclose(file);
        }
    }
    return total;
}

static void report(const struct load_settings *settings, const struct load_share *share,
                   const struct load_counts *base, double seconds, double cpu_s) {
    static struct load_counts now;
    uint64_t first_ns = 0, last_ns = 0;
    unsigned close_code = 0;
    sum(settings, share, &now);
    uint64_t *word = (uint64_t *)&now;
    uint64_t ready = now.ready;
    for (size_t i = 0; i < sizeof(now) / sizeof(*word); i++) {
        word[i] -= ((const uint64_t *)base)[i];
    }
    for (unsigned i = 0; i < settings->processes; i++) {
        const struct load_child *child = &share->children[i];
        close_code = child->last_close_code != 0 ? child->last_close_code : close_code;
        if (child->window_seen == share->window && child->first_ns != 0) {
            first_ns = first_ns == 0 || child->first_ns < first_ns ? child->first_ns : first_ns;
            last_ns = child->last_ns > last_ns ? child->last_ns : last_ns;
        }
    }
    printf("{\"seconds\":%.6f,\"ready\":%llu,\"closed\":%llu,\"close_code\":%u,\"deliveries\":%llu,"
           "\"privates\":%llu,\"others\":%llu,\"bytes\":%llu,\"wire\":%llu,\"reads\":%llu,\"span_"
           "s\":%.6f,"
           "\"cpu_s\":%.6f,\"latency\":",
           seconds, (unsigned long long)ready, (unsigned long long)now.closed, close_code,
           (unsigned long long)now.deliveries, (unsigned long long)now.privates,
           (unsigned long long)now.others, (unsigned long long)now.bytes,
           (unsigned long long)now.wire, (unsigned long long)now.reads,
           (double)(last_ns - first_ns) / 1e9, cpu_s);
    histogram_print(stdout, &now.public_latency);
    fputs(",\"private\":", stdout);
    histogram_print(stdout, &now.private_latency);
    fputs("}\n", stdout);
}

static void obey(const struct load_settings *settings, struct load_share *share,
                 const pid_t *pids) {
    static struct load_counts base;
    char line[64];
    uint64_t start_ns = clock_mono_ns();
    double start_cpu = children_cpu_s(settings, pids);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (strncmp(line, "mark", 4) == 0) {
            sum(settings, share, &base);
            share->window++;
            start_ns = clock_mono_ns();
            start_cpu = children_cpu_s(settings, pids);
            puts("marked");
        } else {
            report(settings, share, &base, (double)(clock_mono_ns() - start_ns) / 1e9,
                   children_cpu_s(settings, pids) - start_cpu);
        }
        fflush(stdout);
    }
}
