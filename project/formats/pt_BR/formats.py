"""What Django's own formats of Brazil lack for narrow columns."""

DATE_FORMAT = r"j \d\e b\. \d\e Y"
DATETIME_FORMAT = r"j \d\e b\. \d\e Y H:i"
SHORT_DATE_FORMAT = "d/m/Y"
SHORT_DATETIME_FORMAT = "d/m/Y H:i"
YEAR_MONTH_FORMAT = r"F \d\e Y"
