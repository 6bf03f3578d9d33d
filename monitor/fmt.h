/* SPDX-License-Identifier: MIT */
/* fmt.h - the formatter as the monitor names it; the contract is in include/ring1/fmt.h. */
#ifndef RING1_MONITOR_FMT_H
#define RING1_MONITOR_FMT_H

#include "include/ring1/fmt.h"

#endif
