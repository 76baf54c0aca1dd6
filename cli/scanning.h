/*
 * What a scan says of one file, in the forms in which it is printed.
 */
#ifndef CLI_SCANNING_H
#define CLI_SCANNING_H

#include <sft.h>

#include <stdbool.h>

/* A file that was scanned, or could not be: then `result` is NULL. */
struct scanned {
    const char *path;
    const sft_scan_result *result;
    const sft_error *error;
    bool skipped; /* found in a folder, and of no known kind */
};

/* scanned_print() - the headline, and the findings beneath; nothing about clean files if quiet. */
void scanned_print(const struct scanned *file, bool quiet);

/* scanned_print_json() - one object. */
void scanned_print_json(const struct scanned *file);

/* scanned_code() - its exit status. */
int scanned_code(const struct scanned *file);

#endif /* CLI_SCANNING_H */
