/* Whether a conversion may go on after a scan, and why not. */
#ifndef SFT_SRC_CHECKPOINT_REFUSE_H
#define SFT_SRC_CHECKPOINT_REFUSE_H

#include <sft/scan.h>

/*
 * SFT_OK; SFT_DANGEROUS_SOURCE; SFT_UNVOUCHED_SOURCE, unless that is allowed; SFT_MALFORMED_SOURCE,
 * SFT_UNSUPPORTED_SOURCE or SFT_SOURCE_LIMIT. The message says what was found, and where.
 */
sft_status sft_refuse_scanned(const sft_scan_result *scan, bool allow_unknown, sft_error *error);

#endif
