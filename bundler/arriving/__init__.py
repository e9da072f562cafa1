"""What comes in: from drives one after the other, and out of the folder behind a data diode."""
