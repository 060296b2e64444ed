#include "gateway/supervisor/port_owner.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STATE_LISTEN 0x0au

static unsigned long listening_inode(const char *table, unsigned port);
static int owner_of_inode(unsigned long inode, struct port_owner *out);

int port_owner_find(unsigned port, struct port_owner *out) {
    static const char *const tables[] = {"/proc/self/net/tcp", "/proc/self/net/tcp6"};
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        unsigned long inode = listening_inode(tables[i], port);
        if (inode != 0 && owner_of_inode(inode, out) == 0) {
            return 0;
        }
    }
    return -ENOENT;
}

/* Rows look like `0: 0100007F:0BC0 00000000:0000 0A ... uid timeout inode`, fields 2, 4 and 10. */
static unsigned long row_inode(char *row, unsigned port) {
    char *fields[10];
    char *rest = NULL;
    unsigned count = 0;
    for (char *field = strtok_r(row, " ", &rest); field && count < ARRAY_LENGTH(fields);
         field = strtok_r(NULL, " ", &rest)) {
        fields[count++] = field;
    }
    if (count < ARRAY_LENGTH(fields)) {
        return 0;
    }
    const char *colon = strrchr(fields[1], ':');
    if (!colon || strtoul(colon + 1, NULL, 16) != port ||
        strtoul(fields[3], NULL, 16) != STATE_LISTEN) {
        return 0;
    }
    return strtoul(fields[9], NULL, 10);
}

static unsigned long listening_inode(const char *table, unsigned port) {
    char row[512];
    unsigned long inode = 0;
    FILE *file = fopen(table, "re");
    if (!file) {
        return 0;
    }
    while (inode == 0 && fgets(row, sizeof(row), file)) {
        inode = row_inode(row, port);
    }
    fclose(file);
    return inode;
}

static bool holds_socket(pid_t pid, const char *wanted) {
    char path[64];
    char target[64];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    if (!directory) {
        return false;
    }
    for (struct dirent *entry = readdir(directory); entry && !found; entry = readdir(directory)) {
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);
        if (length > 0) {
            target[length] = '\0';
            found = strcmp(target, wanted) == 0;
        }
    }
    closedir(directory);
    return found;
}

static void read_name(pid_t pid, char name[16]) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(name, 1, 15, file) : 0;
    if (file) {
        fclose(file);
    }
    name[length] = '\0';
    name[strcspn(name, "\n")] = '\0';
    for (char *c = name; *c; c++) {
        if (*c < 0x20 || *c > 0x7e) {
            *c = '?';
        }
    }
}

static int owner_of_inode(unsigned long inode, struct port_owner *out) {
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    int result = -ENOENT;
    DIR *directory = opendir("/proc");
    if (!directory) {
        return -ENOENT;
    }
    for (struct dirent *entry = readdir(directory); entry && result != 0;
         entry = readdir(directory)) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 0 && holds_socket((pid_t)pid, wanted)) {
            out->pid = (pid_t)pid;
            read_name(out->pid, out->name);
            result = 0;
        }
    }
    closedir(directory);
    return result;
}
