/* SPDX-License-Identifier: MIT */
/* adapt_form.c - see adapt_form.h. */
#include "bt/translate/adapt_form.h"

#include "bt/cache/state.h"

enum adapt_form adapt_form(const struct bt *bt, gpa_t gpa, uint8_t *user)
{
    unsigned pair = adapt_site_pair(gpa) / 2, slot = adapt_page_slot(gpa);
    const struct adapt_site *s = &bt->adapt.site[2 * pair], *p = &bt->adapt.page[slot];

    *user = 0;
    if (likely(!(bt->adapt.slow_sites[pair / 64] >> pair % 64 & 1) &&
               !(bt->adapt.slow_pages >> slot & 1)))
        return ADAPT_FAST;
    for (unsigned n = 0; n < 2; n++)
        if (s[n].gpa == gpa && s[n].form) {
            *user = s[n].user;
            return (enum adapt_form)s[n].form;
        }
    if (p->form && p->gpa == (gpa & ~(gpa_t)GUEST_PAGE_MASK)) {
        *user = p->user;
        return (enum adapt_form)p->form;
    }
    return ADAPT_FAST;
}
