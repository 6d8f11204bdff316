"""Who has the most points: names, ranks, and everybody's place among those who take part."""
