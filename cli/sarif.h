/*
 * SARIF 2.1.0 (OASIS), which dashboards for code scanning read: one run, a rule for each code, a
 * result for each finding.
 */
#ifndef CLI_SARIF_H
#define CLI_SARIF_H

#include "scanning.h"
#include "text.h"

struct sarif {
    struct text *troubles; /* files that could not be scanned: a message each */
    size_t trouble_count;
};

/* sarif_begin(), sarif_end() - the frame around all results. */
void sarif_begin(struct sarif *sarif);
void sarif_end(struct sarif *sarif);

void sarif_add(struct sarif *sarif, const struct scanned *file);

#endif /* CLI_SARIF_H */
