/* Memory for what is filled at once, a header and its tables say: large pieces on large pages. */
#ifndef SFT_SRC_IO_PAGES_H
#define SFT_SRC_IO_PAGES_H

#include <sft/base.h>

/* A copy of the caller's allocator, or where given is NULL one over malloc that asks for pages. */
sft_allocator sft_pages_allocator(const sft_allocator *given);

#endif
