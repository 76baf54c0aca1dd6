/*
 * What a conversion did, in the forms in which it is told.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <sft.h>

#include <stdbool.h>

struct report {
    const char *source;
    const sft_conversion *conversion;
    bool dry_run;
};

/* report_print() - for people: some lines; of a dry run also one for each tensor. */
void report_print(const struct report *report);

/* report_print_json() - one document to standard output. */
void report_print_json(const struct report *report);

/*
 * report_write() - the same document to a file, which gets its name when it is whole. An existing
 * one is only replaced by force. Returns EXIT_FINE, or EXIT_TROUBLE after a message.
 */
int report_write(const struct report *report, const char *path, bool force);

#endif /* CLI_REPORT_H */
