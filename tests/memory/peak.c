/*
 * peak FILE COMMAND… - runs a command and writes its peak resident memory, in KiB, to FILE.
 *
 * A program of its own, and small: a process starts with its parent's peak, which would hide that
 * of a command started by an interpreter.
 */
#define _DEFAULT_SOURCE /* wait4 */

#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count < 3) {
        fprintf(stderr, "usage: peak FILE COMMAND...\n");
        return 64;
    }
    pid_t child = fork();
    if (child == 0) {
        execvp(arguments[2], arguments + 2);
        perror(arguments[2]);
        _exit(127);
    }
    int status;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) != child) {
        perror("peak");
        return 126;
    }
    FILE *out = fopen(arguments[1], "w");
    if (out == NULL || fprintf(out, "%ld\n", usage.ru_maxrss) < 0 || fclose(out) != 0) {
        perror(arguments[1]);
        return 126;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
