"""Counts legal periods a second time, apart from the product.

The product counts the periods of the law itself. One misreading there would be in its own tests too, so
this file counts them again, written from docs/legal-periods.md alone and from no line of the product's
code; what the two say is compared. Rules are named here by their number in that document.

    python legal_periods.py CALENDARS_JSON < cases.jsonl

A case is one line of JSON; for each, one line comes out: the first moment after the period, in whole
milliseconds since the Unix epoch. A case of which the document says nothing stops the run.
"""

import calendar
import json
import sys
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MILLISECOND = timedelta(milliseconds=1)
ONE_DAY = timedelta(days=1)
HOUR = 3_600_000
DAY = 24 * HOUR

UNITS = ("hours", "calendar-days", "working-days", "weeks", "months", "years")


# Moments are whole milliseconds since the epoch, so that time between them is always elapsed time.


def moment_of(text):
    return (datetime.fromisoformat(text) - EPOCH) // MILLISECOND


def local(moment, zone):
    return (EPOCH + moment * MILLISECOND).astimezone(zone)


def offset(moment, zone):
    return local(moment, zone).utcoffset() // MILLISECOND


def day_of(moment, zone):
    return local(moment, zone).date()


def next_full_hour(moment, zone):
    """Rule 1 and the end of rule 2: the first full hour of the local clock after the moment."""
    ahead = offset(moment, zone)
    hour = ((moment + ahead) // HOUR + 1) * HOUR - ahead
    if (hour + offset(hour, zone)) % HOUR == 0:
        return hour
    # The clock was changed by a part of an hour: this is no full hour of the new clock.
    return next_full_hour(hour, zone)


def start_of_day(day, zone):
    """The first moment of the day that exists; of two midnights, the earlier."""
    midnight = datetime.combine(day, time(0), tzinfo=zone)
    moment = (midnight.astimezone(timezone.utc) - EPOCH) // MILLISECOND
    if local(moment, zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return moment
    # There is no midnight: the day begins where the clock jumps over it.
    before, since = moment - DAY, moment
    while since - before > 1:
        middle = (before + since) // 2
        if day_of(middle, zone) < day:
            before = middle
        else:
            since = middle
    return since


def days_of_state(entries, country):
    """The zone, the weekend and the holidays of a country, or the days of UTC."""
    for entry in entries:
        days = entry["calendar"]
        if days["country"] == country:
            holidays = {date.fromisoformat(holiday) for holiday in days["holidays"]}
            return ZoneInfo(days["time_zone"]), set(days["weekend"]), holidays
    return timezone.utc, {6, 7}, set()


def is_working(day, state):
    _, weekend, holidays = state
    return day.isoweekday() not in weekend and day not in holidays


def next_working_day(day, state):
    day += ONE_DAY
    while not is_working(day, state):
        day += ONE_DAY
    return day


def working_days_between(first, last, state):
    """How many working days there are after the first day, up to and with the last."""
    return sum(is_working(first + n * ONE_DAY, state) for n in range(1, (last - first).days + 1))


def add_months(day, number):
    """Rule 3: the same date of a later month, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + number, 12)
    month += 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def add_working_days(day, number, state):
    for _ in range(number):
        day = next_working_day(day, state)
    return day


def add_units(day, number, unit, state):
    """Rules 3 and 4: the last day of a period of which the given day is not counted."""
    if unit == "calendar-days":
        return day + number * ONE_DAY
    if unit == "working-days":
        return add_working_days(day, number, state)
    if unit == "weeks":
        return day + 7 * number * ONE_DAY
    if unit == "months":
        return add_months(day, number)
    if unit == "years":
        return add_months(day, 12 * number)
    raise ValueError(f"a period in days cannot be counted on in {unit}")


def count_from(moment, union, zone):
    return next_full_hour(moment, zone) if union else moment


def due_in_hours(case, union, state):
    zone = state[0]
    end = count_from(moment_of(case["event"]), union, zone) + case["number"] * HOUR
    for move in case["moves"]:
        if "pause" in move:
            first, second = (count_from(moment, union, zone) for moment in pause_of(move))
            end += second - first
        elif move["extend"]["unit"] == "hours":
            end += move["extend"]["number"] * HOUR
        else:
            raise ValueError("a period in hours is extended in hours")
    return end


def pause_of(move):
    first, second = (moment_of(text) for text in move["pause"])
    if second < first:
        raise ValueError("a pause ends before it begins")
    return first, second


def move_day(last, move, unit, state):
    if "extend" in move:
        return add_units(last, move["extend"]["number"], move["extend"]["unit"], state)
    first, second = (day_of(moment, state[0]) for moment in pause_of(move))
    if unit == "working-days":
        return add_working_days(last, working_days_between(first, second, state), state)
    return last + (second - first)


def needs_two_working_days(case):
    return case["unit"] not in ("calendar-days", "working-days") or case["number"] > 1


def off_holidays(event_day, last, case, state):
    # Rule 5.
    if not is_working(last, state):
        last = next_working_day(last, state)
    # Rule 6.
    if needs_two_working_days(case):
        while working_days_between(event_day, last, state) < 2:
            last = next_working_day(last, state)
    return last


def due_in_days(case, union, state):
    zone = state[0]
    event_day = day_of(moment_of(case["event"]), zone)
    last = add_units(event_day, case["number"], case["unit"], state)
    for move in case["moves"]:
        last = move_day(last, move, case["unit"], state)
    if union:
        last = off_holidays(event_day, last, case, state)
    return start_of_day(last + ONE_DAY, zone)


def due(case, entries):
    if case["unit"] not in UNITS or case["counting"] not in ("union", "plain"):
        raise ValueError(f"no such period: {case}")
    state = days_of_state(entries, case["country"])
    count = due_in_hours if case["unit"] == "hours" else due_in_days
    return count(case, case["counting"] == "union", state)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        entries = json.load(file)
    for line in sys.stdin:
        if line.strip():
            print(due(json.loads(line), entries), flush=True)


if __name__ == "__main__":
    main()
