/*
 * What a scan has found, in the order in which loading would come to it. As many as the caller
 * wants are kept: where there are more, the least bad go first, and of these the latest.
 */
#ifndef SFT_SRC_CHECKPOINT_FINDINGS_H
#define SFT_SRC_CHECKPOINT_FINDINGS_H

#include <sft/base.h>
#include <sft/scan.h>

/* A place in the row, before which findings can be added later than those that follow it. */
typedef struct sft_place {
    struct sft_place *before;
    struct sft_place *after;
} sft_place;

typedef struct sft_findings {
    sft_allocator allocator;
    sft_place end; /* of the row, which is a ring through it: must not move */
    struct sft_kept *newest[SFT_SEVERITY_DANGEROUS + 1]; /* of each severity */
    uint64_t limit;
    uint64_t kept;
    uint64_t found;
    sft_verdict verdict;
} sft_findings;

void sft_findings_init(sft_findings *findings, const sft_allocator *allocator, uint64_t limit);
void sft_findings_free(sft_findings *findings);

/*
 * Adds a finding before a place. Its texts are copied, and cut where they are long; `where` is made
 * of member, byte and opcode. Detail and call may hold anything: they are escaped here too.
 * SFT_NO_MEMORY.
 */
sft_status sft_findings_add(sft_findings *findings, sft_place *place, const sft_finding *finding,
                            sft_error *error);

/* A place before another one; NULL where there is no memory. It is left before the end. */
sft_place *sft_findings_place(sft_findings *findings, sft_place *before);
void sft_findings_leave(sft_findings *findings, sft_place *place);

/* The first finding, and the next; NULL at the end. No places may be left. */
const sft_finding *sft_findings_first(const sft_findings *findings);
const sft_finding *sft_findings_next(const sft_findings *findings, const sft_finding *finding);

#endif
