/* SPDX-License-Identifier: MIT */
/* adapt_form.c - see adapt_form.h. */
#include "bt/translate/adapt_form.h"

#include "bt/cache/state.h"

enum adapt_form adapt_form(const struct bt *bt, gpa_t gpa, uint8_t *user)
{
    const struct adapt_site *s = &bt->adapt.site[adapt_site_pair(gpa)];
    const struct adapt_site *p = &bt->adapt.page[adapt_page_slot(gpa)];

    *user = 0;
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
