"""Ranges of whole days (UTC)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Days:
    """A range of whole days (UTC), first and last inclusive."""

    first: date
    last: date

    def __iter__(self) -> Iterator[date]:
        return (self.first + number * ONE_DAY for number in range((self.last - self.first).days + 1))

    @property
    def start(self) -> datetime:
        """Start of the first day."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def end(self) -> datetime:
        """End of the last day (exclusive)."""
        return datetime.combine(self.last, time(), UTC) + ONE_DAY


def group_days(days: Iterable[date]) -> list[Days]:
    """Group ascending days into ranges of consecutive days."""
    found: list[Days] = []
    for day in days:
        if found and found[-1].last + ONE_DAY == day:
            found[-1] = Days(found[-1].first, day)
        else:
            found.append(Days(day, day))
    return found
