// What is wrong with a screen's layout as it stands: for the browser tests that look at every screen in both languages, with
// normal and large letters.

/** A word that is cut, a thing that lies on another, a page or panel that has to be pushed sideways; [] when all is well. */
export const layoutFaults = (page) => page.evaluate(() => {
    const found = [];
    const tell = (what, e) => found.push(`${what}: ${e.outerHTML.slice(0, 140)}`);
    const seen = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== 'hidden' && getComputedStyle(e).opacity !== '0';
    const large = document.documentElement.classList.contains('large');
    if (document.scrollingElement.scrollWidth > innerWidth) found.push('the page is wider than the screen');
    for (const e of document.querySelectorAll('.shell-main, .screen, .panel, .panel-body, .panel-head, .panel-foot, .nav')) {
        if (seen(e) && e.scrollWidth > e.clientWidth + 1) tell('wider than its place', e);
    }
    const words = [...document.querySelectorAll('.shell-main *, .nav *, .head *')].filter((e) => seen(e) && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
    for (const e of words) if (getComputedStyle(e).overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1 && !e.closest('[title]')) tell('cut off', e);
    for (const e of document.querySelectorAll('input[placeholder]')) {
        const pen = Object.assign(document.createElement('canvas').getContext('2d'), { font: getComputedStyle(e).font });
        if (seen(e) && !e.value && e.closest('main') && pen.measureText(e.placeholder).width > e.clientWidth) tell('its hint is cut off', e);
    }
    const pressed = [...document.querySelectorAll('.shell-main :is(button, a, input, textarea, .ant-select)')].filter((e) => seen(e) && !e.closest('.ant-input-affix-wrapper, .ant-segmented, .ant-radio-wrapper') && !e.parentElement.closest('.ant-select'));
    const shown = new Map(pressed.map((e) => {
        const { left, top, right, bottom } = e.getBoundingClientRect(), box = { left, top, right, bottom };
        for (let up = e.parentElement; up; up = up.parentElement) {
            if (getComputedStyle(up).overflowY === 'visible') continue;
            const frame = up.getBoundingClientRect();
            for (const side of ['left', 'top']) box[side] = Math.max(box[side], frame[side]);
            for (const side of ['right', 'bottom']) box[side] = Math.min(box[side], frame[side]);
        }
        return [e, box];
    }));
    pressed.forEach((e, n) => pressed.slice(n + 1).forEach((other) => {
        const [a, b] = [shown.get(e), shown.get(other)];
        if (e.contains(other) || a.bottom <= a.top || b.bottom <= b.top) return;
        if (a.left + 1 < b.right && b.left + 1 < a.right && a.top + 1 < b.bottom && b.top + 1 < a.bottom) tell(`lies on ${other.outerHTML.slice(0, 100)}`, e);
    }));
    for (const e of large ? document.querySelectorAll('.shell-main :is(button.ant-btn, .ant-select, input.ant-input)') : []) {
        if (seen(e) && !e.closest('.ant-input-affix-wrapper') && e.getBoundingClientRect().height < 59) tell('lower than 60', e);
    }
    return found;
});
