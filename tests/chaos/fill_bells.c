/* fill_bells PID: brings the counter of each eventfd of that process to its highest, so that whoever rings gets EAGAIN
 * until it is read. Needs the right to trace the process (its descriptors are taken by pidfd_getfd). */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fail(const char *what) {
    fprintf(stderr, "fill_bells: %s: %s\n", what, strerror(errno));
    return 1;
}

static int is_bell(const char *folder, const char *number) {
    char path[600], target[64];
    snprintf(path, sizeof path, "%s/%s", folder, number);
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    return strcmp(target, "anon_inode:[eventfd]") == 0;
}

static int fill(int process, int number) {
    const uint64_t highest = UINT64_MAX - 1;
    uint64_t count;
    int fd = (int)syscall(SYS_pidfd_getfd, process, number, 0u);
    if (fd < 0)
        return fail("pidfd_getfd");
    /* made without waiting (EFD_NONBLOCK); read first, since only an empty counter takes the highest value */
    (void)!read(fd, &count, sizeof count);
    int status = write(fd, &highest, sizeof highest) == sizeof highest ? 0 : fail("write");
    close(fd);
    return status;
}

int main(int argc, char **argv) {
    char folder[64];
    if (argc != 2 || atoi(argv[1]) <= 0) {
        fprintf(stderr, "usage: fill_bells PID\n");
        return 2;
    }
    int process = (int)syscall(SYS_pidfd_open, atoi(argv[1]), 0u), status = 0, filled = 0;
    snprintf(folder, sizeof folder, "/proc/%d/fd", atoi(argv[1]));
    DIR *list = process < 0 ? NULL : opendir(folder);
    if (!list)
        return fail(folder);
    for (const struct dirent *entry = readdir(list); entry && status == 0; entry = readdir(list))
        if (is_bell(folder, entry->d_name)) {
            status = fill(process, atoi(entry->d_name));
            filled++;
        }
    closedir(list);
    close(process);
    if (status == 0 && filled == 0) {
        fprintf(stderr, "fill_bells: that process has none\n");
        status = 1;
    }
    return status;
}
